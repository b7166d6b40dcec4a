// How a bench ends: by what it has to say, by what is missing, or by Ctrl-C. However it does, what it took from the machine
// (hugepages, sockets, processes) is given back by handlers of the process's exit.
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
