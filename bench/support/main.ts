// Runs a bench and handles its end: success, a missing tool, or Ctrl-C. In all cases, handlers of the process's `exit`
// event free its resources (hugepages, sockets, processes).
import { MissingError } from './c-program.js'

export function runMain(main: () => Promise<void>): void {
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)
    process.once(signal, () => process.exit(status))
  main().catch((error: unknown) => {
    console.error(error instanceof MissingError ? error.message : error)
    process.exitCode = 1
  })
}
