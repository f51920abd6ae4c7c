"""Serves Django OAuth Toolkit on loopback, with an empty database: python3 django_server.py FILE, with a file of JSON."""
import datetime
import json
import sys

import django
from django.conf import settings

with open(sys.argv[1]) as file:
    configuration = json.load(file)

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    AUTHENTICATION_BACKENDS=["django.contrib.auth.backends.ModelBackend"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": configuration["database"]}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "oauth2_provider",
    ],
    LOGIN_URL="/admin/login/",
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        # Redirects the URL of the metadata to the one with a final slash.
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    OAUTH2_PROVIDER={
        "ACCESS_TOKEN_EXPIRE_SECONDS": 1800,
        "OIDC_ENABLED": True,
        "OIDC_ISS_ENDPOINT": configuration["issuer"],
        "OIDC_RSA_PRIVATE_KEY": configuration["privateKey"],
        "PKCE_REQUIRED": True,
        "SCOPES": {name: name for name in ["openid", "introspection", *configuration["scopes"]]},
        "DEFAULT_SCOPES": configuration["scopes"],
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="loopback-test-only",
    TEMPLATES=[{
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.request",
            ]
        },
    }],
    USE_TZ=True,
)
django.setup()

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import call_command
from django.urls import include, path
from django.utils import timezone
from oauth2_provider.models import AccessToken, Application

urlpatterns = [
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("admin/", admin.site.urls),
]

call_command("migrate", verbosity=0)
alice = User.objects.create_superuser("alice", password=configuration["password"])


def make_client(client_id, client_type, grant_type):
    return Application.objects.create(
        name=client_id,
        client_id=client_id,
        client_secret=configuration["clientSecret"],
        client_type=client_type,
        authorization_grant_type=grant_type,
        redirect_uris=configuration["redirectUri"],
    )


for client_id in ["mcp", "elsewhere"]:
    make_client(client_id, Application.CLIENT_PUBLIC, Application.GRANT_AUTHORIZATION_CODE)
for client_id in ["program", "introspector"]:
    make_client(client_id, Application.CLIENT_CONFIDENTIAL, Application.GRANT_CLIENT_CREDENTIALS)

for token, age in [("knownToken", 0), ("expiredToken", 3600)]:
    AccessToken.objects.create(
        user=alice,
        application=Application.objects.get(client_id="mcp"),
        token=configuration[token],
        scope=" ".join(configuration["scopes"][:2]),
        expires=timezone.now() + datetime.timedelta(seconds=1800 - age),
    )

call_command("runserver", f"127.0.0.1:{configuration['port']}", use_reloader=False)
