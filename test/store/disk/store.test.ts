import { onTestFinished } from 'vitest'
import { adminSessionsContract } from '../../contract/admin-sessions.ts'
import { answersContract } from '../../contract/idempotency-cache.ts'
import { storeContract } from '../../contract/store.ts'
import { webhookContract } from '../../contract/webhook-queue.ts'
import { openDiskStore } from '../../helpers/disk-store.ts'

storeContract('on disk', (clock) => openDiskStore({ clock }))

webhookContract('on disk', async (clock, webhooks) => {
  const store = await openDiskStore({ clock, webhooks })
  if (!store.webhookQueue) throw new Error('no queue')
  return { store, queue: store.webhookQueue }
})

answersContract('on disk', async (idempotency) => {
  const store = await openDiskStore({ idempotency })
  onTestFinished(() => store.stop())
  return store.idempotencyCache()
})

adminSessionsContract('on disk', async (clock, limits) => {
  const store = await openDiskStore({ clock })
  onTestFinished(() => store.stop())
  return store.adminSessions(limits)
})
