// The official sync backend on workerd. Standard input is the leash: it stops when that closes. It says {url} once it is ready.
// usage: node backend.mjs [PORT] [DIR], without DIR its data goes with it.
import { fileURLToPath } from 'node:url'
import { Log, LogLevel, Miniflare } from 'miniflare'
import { bundle } from './bundle.mjs'
import { serve } from './lines.mjs'

const [port = '0', dir] = process.argv.slice(2)
const miniflare = new Miniflare({
  host: '127.0.0.1',
  port: Number(port),
  cf: false,
  log: new Log(LogLevel.ERROR),
  modules: true,
  scriptPath: fileURLToPath(bundle),
  compatibilityDate: '2025-05-08',
  compatibilityFlags: ['enable_request_signal', 'nodejs_compat'],
  durableObjects: { SYNC_BACKEND_DO: { className: 'SyncBackendDO', useSQLite: true } },
  ...(dir ? { durableObjectsPersist: dir } : {}),
  handleRuntimeStdio: (stdout, stderr) => {
    stdout.resume()
    stderr.resume()
  },
})
const url = await miniflare.ready
serve({ url: () => `http://127.0.0.1:${url.port}` }, { end: () => miniflare.dispose() })
