/**
 * The verdicts of policies about one operation.
 *
 * @since 0.1.0
 */

/**
 * The verdict about an operation.
 *
 * **Details**
 *
 * - `Granted`: the caller has `required` and meets the conditions that belong to these scopes.
 * - `MissingScopes`: the caller lacks `missing`. With these scopes, the verdict would be `Granted`. `required` lists all scopes
 *   that a challenge names.
 * - `Denied`: no scope would help. `failed` names the conditions that the caller does not meet.
 * - `SignIn`: the caller is anonymous. `required` lists the scopes to request.
 * - `InvalidArguments`: a check needs the arguments of the call, and they do not decode.
 *
 * @category models
 * @since 0.1.0
 */
export type Verdict =
  | { readonly _tag: "Granted"; readonly required: ReadonlyArray<string> }
  | {
    readonly _tag: "MissingScopes"
    readonly required: ReadonlyArray<string>
    readonly missing: ReadonlyArray<string>
  }
  | { readonly _tag: "Denied"; readonly failed: ReadonlyArray<string> }
  | { readonly _tag: "SignIn"; readonly required: ReadonlyArray<string> }
  | { readonly _tag: "InvalidArguments" }

/** The verdict `Granted`. */
export type Granted = Extract<Verdict, { readonly _tag: "Granted" }>
