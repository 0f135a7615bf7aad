// Makes one file of the official backend, for workerd. `node bundle.mjs`, once after npm ci.
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

export const bundle = new URL('../node_modules/.livestore/worker.mjs', import.meta.url)

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await build({
    entryPoints: [fileURLToPath(new URL('worker.mjs', import.meta.url))],
    outfile: fileURLToPath(bundle),
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    conditions: ['workerd', 'worker', 'browser'],
    mainFields: ['browser', 'module', 'main'],
    external: ['cloudflare:*', 'node:*'],
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'warning',
  })
}
