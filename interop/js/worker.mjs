// The official backend as its documentation sets it up. A payload is needed only by who sends one: {authToken: 'good'} is let in.
import { makeDurableObject, makeWorker } from '@livestore/sync-cf/cf-worker'

export class SyncBackendDO extends makeDurableObject({}) {}

export default makeWorker({
  syncBackendBinding: 'SYNC_BACKEND_DO',
  validatePayload: (payload) => {
    if (payload !== undefined && payload?.authToken !== 'good') throw new Error('Invalid auth token')
  },
})
