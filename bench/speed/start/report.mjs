/**
 * Loaded in front of each server of the level "start" (`node --import`). Imports nothing, so that the server alone determines what
 * is loaded. Sends the CPU time in microseconds and the resident memory in bytes on request.
 */
process.on("message", () => {
  const { system, user } = process.cpuUsage()
  process.send({ cpu: user + system, rss: process.memoryUsage.rss() })
})
process.on("disconnect", () => process.exit())
