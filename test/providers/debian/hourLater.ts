/** Runs an effect with a wall clock that is one hour ahead, so that servers inside it find every new token expired. */
import { Clock, Duration, Effect } from "effect"

export const hourLater = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Effect.service(Clock.Clock), (clock) => {
    const currentTimeMillisUnsafe = () => clock.currentTimeMillisUnsafe() + Duration.toMillis(Duration.hours(1))
    const ahead: Clock.Clock = Object.create(clock, {
      currentTimeMillisUnsafe: { value: currentTimeMillisUnsafe },
      currentTimeMillis: { value: Effect.sync(currentTimeMillisUnsafe) }
    })
    return Effect.provideService(effect, Clock.Clock, ahead)
  })
