// One official client: a store in a process of its own, driven by lines. See lines.mjs for how to ask, and the commands below for what.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeAdapter } from '@livestore/adapter-node'
import { createStorePromise, queryDb, Schema, StoreInternalsSymbol } from '@livestore/livestore'
import { makeWsSync } from '@livestore/sync-cf/client'
import { Effect, LogLevel } from '@livestore/utils/effect'
import { now, serve } from './lines.mjs'
import { draft, schema, todo } from './schema.mjs'

let store
const thread = () => store[StoreInternalsSymbol].clientSession.leaderThread
const sql = (query) => store.query({ query, bindValues: {} })
const count = () => sql('select count(*) as n from todos')[0].n
const plain = (seqNum) => ({ global: seqNum.global, client: seqNum.client, generation: seqNum.rebaseGeneration })

const status = async () => {
  const leader = await Effect.runPromise(thread().syncState.get ?? thread().syncState)
  const network = await Effect.runPromise(thread().networkStatus.get ?? thread().networkStatus)
  return {
    pendingSession: store.syncStatus().pendingCount,
    pendingLeader: leader.pending.length,
    localHead: plain(leader.localHead),
    upstreamHead: plain(leader.upstreamHead),
    connected: network.isConnected,
  }
}

const poll = async (what, done, { timeout = 60_000, step = 2 } = {}) => {
  for (const end = now() + timeout * 1000; ; ) {
    if (await done()) return now()
    if (now() > end) throw new Error(`${what}: not within ${timeout} ms; ${JSON.stringify(await status())}, ${count()} rows`)
    await new Promise((resolve) => setTimeout(resolve, step))
  }
}

const seen = [] // when the nth row was first seen by a subscription, in µs

serve({
  // url: of the backend, none for a store by itself. dir: where its files lie, none for memory.
  boot: async ({ url, storeId, clientId, sessionId, dir, payload }) => {
    const adapter = makeAdapter({
      storage: dir ? { type: 'fs', baseDirectory: dir } : { type: 'in-memory' },
      clientId,
      ...(sessionId ? { sessionId } : {}),
      ...(url ? { sync: { backend: makeWsSync({ url }) } } : {}),
    })
    store = await createStorePromise({
      adapter, schema, storeId, disableDevtools: true, logLevel: LogLevel.None,
      ...(payload === undefined ? {} : { syncPayload: payload, syncPayloadSchema: Schema.Any }),
    })
  },

  // events: [{name, args}], one commit.
  commit: ({ events }) => {
    const at = now()
    store.commit(...events.map(draft))
    return { at }
  },

  // n to-dos of a writer, in commits of `batch`.
  write: async ({ prefix, n, batch = 50, pause = 0 }) => {
    const at = now()
    for (let i = 0; i < n; i += batch) {
      store.commit(...Array.from({ length: Math.min(batch, n - i) }, (_, k) => todo(prefix, i + k)))
      await new Promise((resolve) => (pause > 0 ? setTimeout(resolve, pause) : setImmediate(resolve)))
    }
    return { at, done: now() }
  },

  rows: () => sql('select id, text, completed, deletedAt from todos order by id'),
  count,
  status,

  // The synced events of the eventlog as the client has it on disk, arguments as they are stored.
  log: () => Effect.runPromise(thread().getEventlogData).then((bytes) => {
    const dir = mkdtempSync(join(tmpdir(), 'livestore-interop-'))
    try {
      writeFileSync(join(dir, 'log.db'), bytes)
      const db = new DatabaseSync(join(dir, 'log.db'))
      const rows = db.prepare(`select seqNumGlobal as seq, parentSeqNumGlobal as parent, name, argsJson as args, clientId as client,
        sessionId as session from eventlog where seqNumClient = 0 order by seqNumGlobal`).all()
      db.close()
      return rows.map(({ args, ...row }) => ({ ...row, args: JSON.parse(args) }))
    } finally {
      rmSync(dir, { recursive: true })
    }
  }),

  // Waits until everything committed here is confirmed, and the upstream head is as far as given. Answers when that was.
  synced: ({ head, timeout }) => poll(`synced at e${head}`, async () => {
    if (Number(/^e(\d+)/.exec(store.syncStatus().localHead)[1]) < head) return false
    const { pendingSession, pendingLeader, localHead, upstreamHead } = await status()
    return pendingSession === 0 && pendingLeader === 0 && upstreamHead.global >= Math.max(head, localHead.global)
  }, { timeout }),

  // Waits for rows alone.
  rowsReach: ({ count: n, timeout, step }) => poll(`${n} rows`, () => count() >= n, { timeout, step }),

  // Waits until the leader has all that was committed here, online or not.
  handedOver: ({ timeout }) => poll('handed to the leader', () => store.syncStatus().pendingCount === 0, { timeout }),

  connected: ({ is = true, timeout }) => poll(`connected: ${is}`, async () => (await status()).connected === is, { timeout }),

  // Notes when each further row shows up in a subscription; sightings asks for the nth.
  watch: () => {
    const rows = queryDb({ query: 'select count(*) as n from todos', schema: Schema.Array(Schema.Struct({ n: Schema.Number })) })
    store.subscribe(rows, ([{ n }]) => {
      for (const t = now(); seen.length <= n; ) seen.push(t)
    })
  },
  sighting: async ({ n, timeout }) => {
    await poll(`row ${n} seen`, () => seen.length > n, { timeout, step: 1 })
    return seen[n]
  },

  shutdown: () => store.shutdownPromise(),
})
