/**
 * The floors of the source: which folders and packages each folder is allowed to import. `oxlint.config.ts` turns this table
 * into rules, and `test/floors.test.ts` tests the rules.
 *
 * A folder can import its own files, its `internal/` folder, and what its row lists. Every other import is an error, so a new
 * folder needs a row here first, and a new package needs an entry in a row.
 */
export interface Floor {
  /** The path of the folder below `src/`. If several rows match a file, the last one applies. */
  readonly folder: string
  /** The other folders of `src/` that it is allowed to import. */
  readonly ours: ReadonlyArray<string> | "everything"
  /** The folders of `src/` from which it is allowed to import only types. */
  readonly oursAsTypes?: ReadonlyArray<string>
  /** Patterns of the packages that it is allowed to import. */
  readonly packages: ReadonlyArray<string>
  /** Patterns of the packages that only its `internal/` folder is allowed to import. */
  readonly packagesOfInternal?: ReadonlyArray<string>
  /** Patterns of the packages from which it is allowed to import only types. */
  readonly packagesAsTypes?: ReadonlyArray<string>
  /** The rule as a sentence, for the error message and the table in CONTRIBUTING.md. */
  readonly why: string
}

const effect = ["effect/[A-Z]*", "effect/crypto/[A-Z]*", "effect/encoding/[A-Z]*"]
const http = ["effect/http/[A-Z]*"]
const httpClient = ["effect/http/FetchHttpClient", "effect/http/HttpClient*"]
const sdks = ["@modelcontextprotocol/**"]

/** The folders of the verification, which turns a token into a principal. Each can import the folders before it. */
const verification = [
  "verification/claims",
  "verification/keys",
  "verification/issuers",
  "verification/tokens",
  "verification/introspection",
  "verification/dpop",
  "verification/revocation",
  "verification/api-keys",
  "verification/token-header",
  "verification/tenants"
]

/**
 * The folders of optional mechanisms. The author of a server enables a mechanism with a value that contains the code of the
 * mechanism. The code that creates gates imports only types of these folders, so a bundle contains only the mechanisms that
 * the author uses.
 */
const mechanisms = [
  "verification/introspection",
  "verification/dpop",
  "verification/revocation",
  "verification/api-keys",
  "verification/token-header",
  "verification/tenants",
  "authorization/sessions",
  "authorization/quotas"
]
const ground = ["protocol", "crypto", "store", "outbound"]

/** The folders of the checks of authorization servers, MCP servers and tokens. Each can import the folders before it. */
const provider = [
  "provider/report",
  "provider/probe",
  "provider/facts",
  "provider/profiles",
  "provider/check",
  "provider/token",
  "provider/doctor"
]

/** The folders of the OAuth proxy. Each can import the folders before it. */
const proxy = ["proxy/keys", "proxy/grants", "proxy/upstream", "proxy/front"]

export const floors: ReadonlyArray<Floor> = [
  {
    folder: "protocol",
    ours: [],
    packages: [
      "effect/[A-Z]*",
      "effect/encoding/[A-Z]*",
      "effect/http/Headers",
      "effect/http/Url",
      "effect/http/UrlParams"
    ],
    why: "protocol is pure: it imports no other folder, and no module that does I/O."
  },
  {
    folder: "crypto",
    ours: ["protocol"],
    packages: effect,
    packagesOfInternal: ["jose"],
    why:
      "crypto knows protocol and effect. Its internal files name the functions of jose, and are loaded when one is needed."
  },
  {
    folder: "store",
    ours: ["protocol"],
    packages: effect,
    packagesAsTypes: ["effect/persistence/[A-Z]*"],
    why: "store knows protocol and effect. The author supplies stores: their modules load database clients."
  },
  {
    folder: "store/records",
    ours: ["protocol", "crypto", "store"],
    packages: effect,
    packagesAsTypes: ["effect/persistence/[A-Z]*", "effect/sql/[A-Z]*"],
    why: "store/records knows protocol, crypto, store and effect. The author supplies clients of databases."
  },
  {
    folder: "store/records-node",
    ours: ["protocol", "store", "store/records"],
    packages: [...effect, "node:fs/promises", "node:os", "node:path", "node:sqlite"],
    why: "store/records-node knows store/records and the modules of Node for files and SQLite."
  },
  {
    folder: "outbound",
    ours: ["protocol", "crypto", "store"],
    packages: effect,
    why:
      "outbound knows protocol, crypto, store and effect: no HTTP client of effect, no principal, no gate, no server."
  },
  {
    folder: "outbound/http-client",
    ours: ["protocol", "crypto", "store", "outbound"],
    packages: [...effect, ...httpClient],
    why: "outbound/http-client knows outbound and effect's HTTP client, which servers outside Effect do not load."
  },
  {
    folder: "verification",
    ours: [...ground, ...verification],
    packages: effect,
    packagesAsTypes: ["effect/persistence/[A-Z]*"],
    why: "verification knows the floors below it and effect: no HTTP server, no MCP, no jose (that is crypto)."
  },
  ...verification.map((folder, index): Floor => ({
    folder,
    ours: [...ground, "verification", ...verification.slice(0, index)],
    packages: effect,
    packagesAsTypes: ["effect/persistence/[A-Z]*"],
    why: `${folder} knows the floors below verification, and the folders of verification before it in tools/floors.ts.`
  })),
  {
    folder: "authorization",
    ours: [
      "protocol",
      "crypto",
      "store",
      "verification",
      ...verification.filter((it) => !mechanisms.includes(it)),
      "authorization/policy"
    ],
    oursAsTypes: mechanisms,
    packages: [...effect, "effect/http/Headers"],
    packagesAsTypes: ["effect/ai/[A-Z]*"],
    why: "authorization knows protocol, crypto, store, verification and effect: no host, no path, no SDK."
  },
  {
    folder: "authorization/policy",
    ours: ["protocol", "verification"],
    packages: effect,
    why: "authorization/policy knows protocol, the principal and effect: no gate, no host."
  },
  {
    folder: "authorization/public-url",
    ours: ["protocol", "authorization"],
    oursAsTypes: ["verification"],
    packages: effect,
    why: "authorization/public-url knows protocol, the gate and its resource. Only programs that use PublicUrl load it."
  },
  {
    folder: "authorization/quotas",
    ours: ["protocol", "crypto", "store", "authorization"],
    packages: effect,
    packagesAsTypes: ["effect/persistence/[A-Z]*"],
    why:
      "authorization/quotas knows authorization and the floors below it. It is loaded only by servers that limit rates."
  },
  {
    folder: "authorization/sessions",
    ours: ["protocol", "crypto", "store", "verification", "verification/tokens", "authorization"],
    packages: effect,
    packagesAsTypes: ["effect/persistence/[A-Z]*"],
    why:
      "authorization/sessions knows authorization and the floors below it. It is loaded only by servers that share sessions."
  },
  {
    folder: "composition",
    ours: [
      ...ground,
      "verification",
      ...verification.filter((it) => !mechanisms.includes(it)),
      "authorization",
      "authorization/policy"
    ],
    oursAsTypes: [...mechanisms, "authorization/public-url"],
    packages: effect,
    why: "composition makes a gate of options: no host, no SDK."
  },
  {
    folder: "servers/host",
    ours: [
      "protocol",
      "crypto",
      "store",
      "outbound",
      "verification",
      "verification/tokens",
      "authorization",
      "authorization/policy",
      "composition"
    ],
    packages: [...effect, ...http],
    why: "servers/host knows the floors up to authorization and effect: no adapter, no SDK."
  },
  {
    folder: "servers/host/entry",
    ours: ["protocol", "outbound", "authorization", "authorization/policy", "composition", "servers/host"],
    packages: effect,
    why: "servers/host/entry exports the parts of servers/host that authors of hosts use."
  },
  {
    folder: "servers/effect",
    ours: [
      ...ground,
      "outbound/http-client",
      "verification",
      ...verification,
      "authorization",
      "authorization/policy",
      "composition",
      "servers/host"
    ],
    oursAsTypes: ["authorization/public-url"],
    packages: [...effect, ...http],
    why: "The adapter of Effect's router knows the floors below it and effect."
  },
  {
    folder: "servers/mcp",
    ours: [
      "protocol",
      "verification",
      "authorization",
      "authorization/policy",
      "composition",
      "servers/host",
      "servers/effect"
    ],
    packages: [...effect, ...http, "effect/ai/[A-Z]*"],
    why: "The adapter of Effect's McpServer knows the floors below it, effect and effect/ai."
  },
  ...["servers/node", "servers/fetch"].map((folder): Floor => ({
    folder,
    ours: [
      "protocol",
      "outbound",
      "verification",
      "authorization",
      "authorization/policy",
      "composition",
      "servers/host"
    ],
    packages: [...effect, ...http],
    why: "An adapter knows the floors below it and effect: no other adapter, no SDK."
  })),
  {
    folder: "servers/sdk",
    ours: [
      "protocol",
      "store",
      "outbound",
      "verification",
      "authorization",
      "authorization/policy",
      "composition",
      "servers/host"
    ],
    packages: [...effect, ...http],
    why: "servers/sdk is shared by both SDK adapters and knows no SDK."
  },
  ...["servers/sdk-v1", "servers/sdk-v2"].map((folder): Floor => ({
    folder,
    ours: [
      "protocol",
      "outbound",
      "verification",
      "authorization",
      "authorization/policy",
      "composition",
      "servers/host",
      "servers/sdk"
    ],
    packages: [...effect, ...http, ...sdks],
    why: "An SDK adapter knows the floors below it, effect and its SDK: no other adapter."
  })),
  {
    folder: "client",
    ours: ground,
    packages: effect,
    why: "client knows the floors below verification: no principal, no server."
  },
  {
    folder: "client/events",
    ours: ["protocol", "store", "client"],
    packages: effect,
    why: "client/events knows the events of client, which programs without them do not load."
  },
  {
    folder: "client/token-exchange",
    ours: [...ground, "verification", "verification/claims", "verification/keys", "verification/issuers", "client"],
    packages: effect,
    why: "client/token-exchange knows client, the principal and authorization servers: no server."
  },
  {
    folder: "client/sign-in",
    ours: [...ground, "store/records", "client"],
    packages: effect,
    why: "client/sign-in knows client and the records of its people, which machine clients do not load."
  },
  {
    folder: "client/node",
    ours: ["protocol", "client", "client/sign-in"],
    packages: [...effect, "node:child_process", "node:http", "node:readline"],
    why: "client/node knows client/sign-in and the modules of Node for listeners and processes."
  },
  {
    folder: "client/http-client",
    ours: [
      "protocol",
      "outbound",
      "outbound/http-client",
      "verification",
      "client",
      "client/sign-in",
      "client/token-exchange"
    ],
    packages: [...effect, ...httpClient],
    why: "client/http-client knows client and effect's HTTP client, which programs outside Effect do not load."
  },
  ...["proxy", ...proxy].map((folder): Floor => ({
    folder,
    ours: [
      ...ground,
      "store/records",
      "outbound/http-client",
      "verification",
      ...verification,
      "authorization",
      "authorization/policy",
      "composition",
      "servers/host",
      "servers/effect",
      "servers/node",
      "servers/fetch",
      "client",
      "client/sign-in",
      ...(folder === "proxy" ? proxy : ["proxy", ...proxy.slice(0, proxy.indexOf(folder))])
    ],
    packages: [...effect, ...http],
    packagesOfInternal: ["jose", "node:https"],
    why: `${folder} knows the floors up to the client: no SDK, no check, no kit. No folder imports the proxy.`
  })),
  {
    folder: "provider",
    ours: provider,
    packages: [],
    why: "The index of provider gathers its folders."
  },
  ...provider.filter((folder) => folder !== "provider/token").map((folder): Floor => ({
    folder,
    ours: [
      ...ground,
      "verification",
      ...verification,
      ...provider.slice(0, provider.indexOf(folder)),
      ...(folder === "provider/facts" ? ["provider/facts/data"] : [])
    ],
    packages: [...effect, ...httpClient],
    why: `${folder} knows the floors up to verification, and of provider the folders before it: no server.`
  })),
  {
    folder: "provider/token",
    ours: [
      ...ground,
      "outbound/http-client",
      "verification",
      ...verification,
      "authorization",
      "authorization/policy",
      "composition",
      ...provider.filter((folder) => folder !== "provider/doctor")
    ],
    packages: [...effect, ...httpClient],
    why: "provider/token knows the floors up to composition, because it checks tokens with the gate: no server."
  },
  {
    folder: "provider/facts/data",
    ours: ["provider/facts"],
    packages: [],
    why: "A data file knows only the type of a fact."
  },
  {
    folder: "testing",
    ours: [
      ...ground,
      "store/records",
      "outbound/http-client",
      "verification",
      ...verification,
      "authorization",
      "authorization/policy",
      "composition",
      "servers/host",
      "servers/effect",
      "servers/node",
      "servers/fetch",
      "client",
      "provider/profiles",
      "provider/facts",
      "provider/report",
      "provider/probe"
    ],
    packages: ["effect/[A-Z]*", "effect/*/[A-Z]*", "jose"],
    why: "testing knows the floors below it, effect and jose: no check, no doctor, no command."
  },
  // No folder imports `cli`, so `cli` is allowed to import every folder.
  { folder: "cli", ours: "everything", packages: [], why: "" }
]
