/**
 * The contract of the `Store` interface, for every implementation.
 *
 * The tests use only the interface, await every answer, and wait for announcements: the store may be on a network.
 */
import { describe } from 'vitest'
import { announcements } from './announcements.ts'
import { attachments } from './attachments.ts'
import { audiences } from './audiences.ts'
import { benchOf } from './bench.ts'
import { telling } from './change-events.ts'
import { countsOfStore } from './counts.ts'
import { figures } from './figures.ts'
import { frames } from './frames.ts'
import { historyParts } from './history-parts.ts'
import { historyTtl } from './history-ttl.ts'
import { history } from './history.ts'
import { memberships } from './memberships.ts'
import { names } from './names.ts'
import { numbers } from './numbers.ts'
import { parts } from './parts.ts'
import { recipients } from './recipients.ts'
import { removals } from './removals.ts'
import { scans } from './scans.ts'
import { severalChannels } from './several-channels.ts'
import { sweeping } from './sweeping.ts'
import { userLimits } from './user-limits.ts'
import { users } from './users.ts'
import type { OpenStore } from './bench.ts'

export function storeContract(name: string, open: OpenStore): void {
  describe(`the contract of stores: ${name}`, () => {
    const openBench = benchOf(open)
    users(openBench)
    memberships(openBench)
    removals(openBench)
    telling(openBench)
    attachments(openBench)
    announcements(openBench)
    audiences(openBench)
    history(openBench)
    historyParts(openBench)
    historyTtl(openBench)
    frames(openBench)
    parts(openBench)
    sweeping(openBench)
    userLimits(openBench)
    figures(openBench)
    recipients(openBench)
    severalChannels(openBench)
    countsOfStore(openBench)
    scans(openBench)
    names(openBench)
    numbers(openBench)
  })
}
