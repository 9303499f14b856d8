import type { Delivery } from './store.ts'

/**
 * How an edit or a delete is delivered. One that names nobody in `pmUsers` is for those whom the message was for, less whom it
 * leaves out itself; one that does is for those.
 */
export function audienceOf(delivery: Delivery, original: Delivery | undefined): Delivery {
  if (!original || delivery.pmUsers.length > 0) return delivery
  const { pmUsers } = original
  const excludeUsers = [...new Set([...original.excludeUsers, ...delivery.excludeUsers])]
  return { ...delivery, pmUsers, excludeUsers }
}
