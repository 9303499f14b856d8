import type { Delivery } from './store.ts'

/**
 * Returns how to deliver an edit or delete. With its own `pmUsers` it goes to those. Otherwise it goes to the receivers
 * of the original message, without its own `excludeUsers`.
 */
export function audienceOf(delivery: Delivery, original: Delivery | undefined): Delivery {
  if (!original || delivery.pmUsers.length > 0) return delivery
  const { pmUsers } = original
  const excludeUsers = [...new Set([...original.excludeUsers, ...delivery.excludeUsers])]
  return { ...delivery, pmUsers, excludeUsers }
}
