# Serves Doorkeeper on loopback, with an empty database: puma doorkeeper.ru. CONFIGURATION names a file of JSON.
require "json"
require "action_controller/railtie"
require "active_record/railtie"
require "doorkeeper"
require "doorkeeper/openid_connect"

CONFIGURATION = JSON.parse(File.read(ENV.fetch("CONFIGURATION")))
# Rails requires this variable if there is no file config/database.yml.
ENV["DATABASE_URL"] = "sqlite3:#{CONFIGURATION.fetch("database")}"
ActiveRecord::Base.establish_connection
ActiveRecord::Schema.verbose = false
ActiveRecord::Schema.define do
  create_table(:users) { |t| t.string :name, null: false }
  create_table(:admins) { |t| t.string :name, null: false }
  # The migrations of Doorkeeper and of its extension for OpenID Connect, with PKCE.
  create_table :oauth_applications do |t|
    t.string :name, null: false
    t.string :uid, null: false, index: { unique: true }
    t.string :secret, null: false
    t.text :redirect_uri, null: false
    t.string :scopes, null: false, default: ""
    t.boolean :confidential, null: false, default: true
    t.timestamps null: false
  end
  create_table :oauth_access_grants do |t|
    t.references :resource_owner, null: false
    t.string :resource_owner_type
    t.references :application, null: false
    t.string :token, null: false, index: { unique: true }
    t.integer :expires_in, null: false
    t.text :redirect_uri, null: false
    t.datetime :created_at, null: false
    t.datetime :revoked_at
    t.string :scopes, null: false, default: ""
    t.string :code_challenge
    t.string :code_challenge_method
  end
  create_table :oauth_access_tokens do |t|
    t.references :resource_owner, index: true
    t.string :resource_owner_type
    t.references :application, null: false
    t.string :token, null: false, index: { unique: true }
    t.string :refresh_token, index: { unique: true }
    t.integer :expires_in
    t.datetime :revoked_at
    t.datetime :created_at, null: false
    t.string :scopes
    t.string :previous_refresh_token, null: false, default: ""
  end
  create_table :oauth_openid_requests do |t|
    t.references :access_grant, null: false, index: true
    t.string :nonce, null: false
  end
end

class User < ActiveRecord::Base
end

class Admin < ActiveRecord::Base
end

class App < Rails::Application
  config.root = File.dirname(CONFIGURATION.fetch("database"))
  config.load_defaults 6.1
  config.eager_load = false
  config.hosts = ["127.0.0.1"]
  config.logger = Logger.new($stderr, level: :warn)
  config.secret_key_base = "loopback-test-only"
end

Doorkeeper.configure do
  orm :active_record
  use_polymorphic_resource_owner if CONFIGURATION.fetch("hasAdmins")
  resource_owner_authenticator do
    User.find_by(id: session[:user]) || begin
      session[:return_to] = request.fullpath
      redirect_to("/sign-in")
    end
  end
  access_token_expires_in 1800
  default_scopes(*CONFIGURATION.fetch("scopes").first(2))
  optional_scopes :openid, *CONFIGURATION.fetch("scopes").drop(2)
  grant_flows %w[authorization_code client_credentials]
  # Redirect URIs on loopback can have the scheme http.
  force_ssl_in_redirect_uri { |uri| uri.host != "127.0.0.1" }
end

Doorkeeper::OpenidConnect.configure do
  issuer CONFIGURATION.fetch("issuer")
  signing_key CONFIGURATION.fetch("privateKey")
  resource_owner_from_access_token { |token| User.find_by(id: token.resource_owner_id) }
  auth_time_from_resource_owner { |_user| Time.now }
  subject { |user, _application| user.id }
  protocol { :http }
end

class SessionsController < ActionController::Base
  FORM = <<~HTML
    <h1>Sign in</h1>
    <form method="post" action="/sign-in">
      <input type="hidden" name="authenticity_token" value="<%= form_authenticity_token %>">
      <input type="text" name="name"><input type="password" name="password"><input type="submit" value="Sign in">
    </form>
  HTML

  def new
    render inline: FORM
  end

  def create
    user = User.find_by(name: params[:name]) if params[:password] == CONFIGURATION.fetch("password")
    return render(inline: FORM, status: 403) if user.nil?

    session[:user] = user.id
    redirect_to session.delete(:return_to)
  end
end

App.initialize!
App.routes.draw do
  use_doorkeeper
  use_doorkeeper_openid_connect
  get "sign-in", to: "sessions#new"
  post "sign-in", to: "sessions#create"
end

# The first user has the same number as an application, so that the tests notice if the two are confused.
alice = User.create!(name: "alice")
make_client = lambda do |uid, confidential|
  Doorkeeper::Application.create!(
    name: uid, uid: uid, secret: CONFIGURATION.fetch("clientSecret"), confidential: confidential,
    redirect_uri: CONFIGURATION.fetch("redirectUri"), scopes: (["openid"] + CONFIGURATION.fetch("scopes")).join(" ")
  )
end
mcp = make_client.call("mcp", false)
make_client.call("elsewhere", false)
make_client.call("program", true)
make_token = lambda do |token, owner, created_at|
  record = Doorkeeper::AccessToken.create!(
    application: mcp, resource_owner_id: owner.id, resource_owner_type: owner.class.name,
    scopes: CONFIGURATION.fetch("scopes").first(2).join(" "), expires_in: 1800, created_at: created_at
  )
  # Doorkeeper generates the token when it creates the record.
  record.update_column(:token, token)
end
make_token.call(CONFIGURATION.fetch("knownToken"), alice, Time.now)
make_token.call(CONFIGURATION.fetch("expiredToken"), alice, 1.hour.ago)
make_token.call(CONFIGURATION.fetch("adminToken"), Admin.create!(id: alice.id, name: "root"), Time.now)

run App
