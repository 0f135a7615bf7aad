// How the official packages write sequence numbers, and what they read out of texts: one question a line, one answer a line.
//   {"write": {"global", "client", "generation"}}  {"text"}
//   {"read": "e3.1r2"}                             {"number"} or {"error"}
import { createInterface } from 'node:readline'
import { EventSequenceNumber } from '@livestore/common/schema'

const { Client } = EventSequenceNumber
for await (const line of createInterface({ input: process.stdin })) {
  const ask = JSON.parse(line)
  let answer
  try {
    if (ask.write) {
      const { global, client, generation } = ask.write
      answer = { text: Client.toString({ global, client, rebaseGeneration: generation }) }
    } else {
      const n = Client.fromString(ask.read)
      answer = { number: { global: n.global, client: n.client, generation: n.rebaseGeneration } }
    }
  } catch (error) {
    answer = { error: String(error.message) }
  }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
