/** Exports the logs, metrics and spans of the server to an OpenTelemetry collector. */
import { Layer, Redacted, References } from "effect"
import { Decision } from "effect-mcp-auth"
import { FetchHttpClient } from "effect/http"
import { Otlp } from "effect/observability"

/** Exports telemetry. Provide this layer to the whole server, so that it covers requests and the decisions about them. */
export const layer = (collector: string) =>
  Layer.mergeAll(
    Otlp.layerJson({
      baseUrl: collector,
      resource: { serviceName: "whoami", serviceVersion: "1.0.0" },
      // Logs go to the collector only, not to the console.
      loggerMergeWithExisting: false
    }).pipe(Layer.provide(FetchHttpClient.layer)),
    // Admitted requests are logged at debug level, which the default level would exclude.
    Layer.succeed(References.MinimumLogLevel, "Debug")
  )

/** Hashes the subject in logs and decisions. Without the key, a log entry does not reveal the person. */
export const decisionSubject = Decision.hashedSubject(Redacted.make("an example of a key, of 16 bytes or more"))
