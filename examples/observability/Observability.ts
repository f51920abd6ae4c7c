/** Exports the logs, metrics and spans of the server to an OpenTelemetry collector. */
import { Layer, Redacted, References } from "effect"
import { Decision } from "effect-mcp-auth"
import { FetchHttpClient } from "effect/http"
import { Otlp } from "effect/observability"

/** Provide it around the whole server, so that its requests, and the decisions about them, are heard. */
export const layer = (collector: string) =>
  Layer.mergeAll(
    Otlp.layerJson({
      baseUrl: collector,
      resource: { serviceName: "whoami", serviceVersion: "1.0.0" },
      // The collector takes the place of the console.
      loggerMergeWithExisting: false
    }).pipe(Layer.provide(FetchHttpClient.layer)),
    // Admitted requests are logged at this level; rejections would be at the usual one.
    Layer.succeed(References.MinimumLogLevel, "Debug")
  )

/** Logs can outlive a person's consent: they contain the subject in a form that only the holder of the key can resolve. */
export const decisionSubject = Decision.hashedSubject(Redacted.make("an example of a key, of 16 bytes or more"))
