import { relative } from "node:path"
import { defineConfig } from "oxlint"
import { type Floor, floors } from "./tools/floors.ts"

type Rule = "off" | ["error", ...Array<Record<string, unknown>>]

/** Restrictions in `src` in addition to the floors. */
const library: Record<string, "error" | Rule> = {
  "no-console": "error",
  "no-restricted-globals": [
    "error",
    { "name": "fetch", "message": "The network is reached through HttpClient." },
    { "name": "setTimeout", "message": "Time passes through Clock: Effect.sleep, Effect.timeout, Schedule." },
    { "name": "setInterval", "message": "Time passes through Clock: Effect.sleep, Effect.timeout, Schedule." }
  ],
  "no-restricted-properties": [
    "error",
    { "object": "Date", "property": "now", "message": "Time is read from Clock." },
    { "object": "performance", "property": "now", "message": "Time is read from Clock." }
  ],
  "no-restricted-imports": ["error", {
    "patterns": [{ "group": ["*"], "message": "This folder has no floor: give it a row in tools/floors.ts." }]
  }]
}

/** The rule for the files of a floor, or for those of its `internal` folder. */
const floorRule = (
  { folder, ours, oursAsTypes = [], packages, packagesAsTypes = [], packagesOfInternal = [], why }: Floor,
  isInternal: boolean
): Rule => {
  if (ours === "everything") return "off"
  const from = isInternal ? `${folder}/internal` : folder
  const own = isInternal ? ["!./*", "!../[A-Z]*"] : ["!./*", "!./internal/*"]
  const pathTo = (other: string) => relative(from, other).replace(/^(?!\.)/, "./")
  const others = [...ours, ...oursAsTypes].map((other) => `!${pathTo(other)}/*`)
  return ["error", {
    "patterns": [
      // A regex, because an import that one list allows cannot be rejected by another list.
      ...[...packagesAsTypes, ...oursAsTypes.map((other) => `${pathTo(other)}/`)].map((pattern) => ({
        "regex": `^${pattern.replace("[A-Z]*", "").replaceAll(".", "\\.")}`,
        "allowTypeImports": true,
        "message": `As types only. ${why}`
      })),
      {
        "group": [
          "*",
          ...[...packages, ...packagesAsTypes, ...(isInternal ? packagesOfInternal : [])].map((pattern) =>
            `!${pattern}`
          ),
          ...own,
          ...others
        ],
        "caseSensitive": true,
        "message": why
      }
    ]
  }]
}

const floorOverrides = floors.flatMap((floor) =>
  [false, true].map((isInternal) => ({
    files: [isInternal ? `src/${floor.folder}/internal/**/*.ts` : `src/${floor.folder}/**/*.ts`],
    rules: { "no-restricted-imports": floorRule(floor, isInternal) }
  }))
)

/** Restrictions in tests and examples: they have one source of keys and tokens, and one authorization server. */
const kitProperties: Rule = [
  "error",
  { "object": "HttpClient", "property": "make", "message": "A client that answers is the one of TestIssuer." },
  { "object": "HttpClient", "property": "makeWith", "message": "A client that answers is the one of TestIssuer." },
  { "object": "FetchHttpClient", "property": "Fetch", "message": "A fetch that answers is the one of TestIssuer." },
  { "property": "generateKey", "message": "Keys are made by SigningKey." },
  { "property": "generateKeyPair", "message": "Keys are made by SigningKey." },
  { "property": "generateKeyPairSync", "message": "Keys are made by SigningKey." }
]

const kitImports = [
  {
    "name": "jose",
    "allowImportNames": [
      "base64url",
      "createLocalJWKSet",
      "createRemoteJWKSet",
      "decodeJwt",
      "decodeProtectedHeader",
      "jwtVerify"
    ],
    "allowTypeImports": true,
    "message": "Keys and tokens are made by SigningKey and TestIssuer."
  },
  {
    "name": "node:crypto",
    "importNames": [
      "generateKey",
      "generateKeyPair",
      "generateKeyPairSync",
      "generateKeySync",
      "createPrivateKey",
      "createSign",
      "sign"
    ],
    "message": "Keys and tokens are made by SigningKey and TestIssuer."
  },
  { "name": "effect/http/HttpClient", "message": "A client that answers is the one of TestIssuer." }
]

export default defineConfig({
  plugins: ["typescript", "import", "unicorn", "oxc"],
  categories: {
    correctness: "error",
    suspicious: "error"
  },
  options: {
    reportUnusedDisableDirectives: "error"
  },
  rules: {
    "import/no-cycle": ["error", { "ignoreTypes": false }],
    "import/no-duplicates": "error",
    // `import { type X }` alone would leave an empty import behind, and load the module.
    "typescript/no-import-type-side-effects": "error",
    // An `import("…")` in a type would pass the floors unseen.
    "typescript/consistent-type-imports": ["error", { "prefer": "type-imports", "fixStyle": "separate-type-imports" }],

    // A parameter that only fixes a type, or a place in a list, is named `_`.
    "no-unused-vars": ["error", { "argsIgnorePattern": "^_", "varsIgnorePattern": "^_" }],

    // How Effect code is written: `_tag`, a type and a value of one name, generators that only return.
    "no-underscore-dangle": "off",
    "no-shadow": "off",
    "require-yield": "off",
    "typescript/no-unsafe-declaration-merging": "off",
    // A helper is next to its use; a fresh array may be sorted in place.
    "unicorn/consistent-function-scoping": "off",
    "unicorn/no-array-sort": "off",
    "unicorn/no-array-reverse": "off",
    // Express 5 passes on what a handler rejects with.
    "oxc/no-async-endpoint-handlers": "off",
    // JSON Schema has a keyword `then`.
    "unicorn/no-thenable": "off",
    // The grammars of the standards name control characters.
    "no-control-regex": "off"
  },
  // The last override that matches a file decides.
  overrides: [
    { files: ["src/**/*.ts"], rules: library },
    ...floorOverrides,
    { files: ["src/cli/**/*.ts"], rules: { "no-console": "off" } },
    {
      files: ["src/index.ts"],
      rules: {
        "no-restricted-imports": ["error", {
          "patterns": [{
            "group": [
              "*",
              "!./protocol/*",
              "!./verification/*",
              "!./verification/claims/*",
              "!./verification/issuers/*",
              "!./authorization/*",
              "!./servers/effect/*",
              "./**/internal/*"
            ],
            "caseSensitive": true,
            "message":
              "The root gathers what most programs need. Mechanisms and building blocks have separate entry points."
          }]
        }]
      }
    },
    // Runs in a browser, without Effect and HttpClient.
    { files: ["src/cli/page/browser.ts"], rules: { "no-restricted-globals": "off" } },
    // An exception has a reason beside it, and an entry in the list of test/floors.test.ts.
    {
      files: ["test/**/*.ts", "bench/**/*.ts", "examples/**/*.ts"],
      rules: { "no-restricted-properties": kitProperties }
    },
    {
      files: ["test/**/*.ts", "bench/**/*.ts"],
      rules: { "no-restricted-imports": ["error", { "paths": kitImports }] }
    },
    {
      files: ["examples/**/*.ts"],
      rules: {
        "no-restricted-imports": ["error", {
          "patterns": [
            { "group": ["**/src/**"], "message": "An example imports what its reader can: the package by name." }
          ],
          "paths": kitImports
        }]
      }
    },
    // Compares the kit with jose.
    {
      files: ["test/testing/**/*.ts"],
      rules: { "no-restricted-imports": "off", "no-restricted-properties": "off" }
    }
  ]
})
