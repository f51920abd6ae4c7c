# Calls a tool with curl: sh call.sh CALLER TOOL [ARGUMENTS]. Without TOOL, prints the names of the tools that the caller sees.
issuer=${ISSUER:-http://127.0.0.1:4000}
server=${MCP_URL:-http://127.0.0.1:3000/mcp}
caller=$1 tool=$2 arguments=${3:-"{}"}

case $caller in
  anonymous) credentials="x-api-key:" ;; # curl sends no header without a value
  cron) credentials="x-api-key: mcp_0f1e2d3c4b5a69788796a5b4_2a97516c354b68848cdbd8f54a226a0a55b21ed138e207ad6c5cbb9c00aa5aea" ;;
  *)
    token=$(curl -s -u "$caller:${caller}s-secret" -d grant_type=client_credentials -d "resource=$server" "$issuer/token")
    token=${token#*access_token\":\"}
    credentials="authorization: Bearer ${token%%\"*}"
    ;;
esac

# Sends one request of MCP 2026-07-28. Prints the interesting part of the body, the status and the challenge.
send() {
  meta='"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"curl","version":"1"}}'
  curl -s "$server" -H "$credentials" -H "content-type: application/json" -H "accept: application/json, text/event-stream" \
    -H "mcp-protocol-version: 2026-07-28" -H "mcp-method: $1" -H "mcp-name: $tool" \
    -d '{"jsonrpc":"2.0","id":1,"method":"'"$1"'","params":{'"$2$meta"'}}' -w '\n%{http_code} %header{www-authenticate}\n' |
    grep -oE '"articles":\[[^]]*\]|"name":"[a-z]+_[a-z]+"|"(message|error_description)":"[^"]*"|^[0-9]{3} .*'
}

if [ -z "$tool" ]; then
  send tools/list
else
  send tools/call '"name":"'"$tool"'","arguments":'"$arguments"','
fi
