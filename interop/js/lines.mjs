// A process that is asked things: one JSON object a line on standard input, {id, do, …}, and one a line as an answer,
// {id, ok} or {id, error}. It ends when standard input does, so that it never outlives the process that asks.
import { createInterface } from 'node:readline'

export const write = (line) => process.stdout.write(JSON.stringify(line) + '\n')

// Clocks of several processes compare: this is the monotonic one of the machine, in microseconds.
export const now = () => Number(process.hrtime.bigint() / 1000n)

export const serve = (commands, { end = async () => {} } = {}) => {
  // What the packages say belongs to the person who reads the log, not among the answers.
  console.log = console.info = console.debug = console.warn = console.error
  const input = createInterface({ input: process.stdin, crlfDelay: Infinity })
  input.on('line', async (line) => {
    const { id, do: name, ...args } = JSON.parse(line)
    try {
      if (commands[name] === undefined) throw new Error(`no command ${name}`)
      write({ id, ok: (await commands[name](args)) ?? null })
    } catch (error) {
      write({ id, error: String(error?.message ?? error) })
    }
  })
  const stop = () => end().finally(() => process.exit(0))
  input.on('close', stop)
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  write({ ready: true })
}
