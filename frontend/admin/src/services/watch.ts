import { live } from './live.ts'
import type { ReactiveController, ReactiveControllerHost } from 'lit'
import type { Topic } from './live.ts'

/** Re-renders its host, or calls `then`, when one of these topics changes. */
export class Watch implements ReactiveController {
  constructor(
    host: ReactiveControllerHost,
    private readonly topics: readonly Topic[],
    private readonly then: () => void = () => host.requestUpdate(),
  ) {
    host.addController(this)
  }

  hostConnected(): void {
    for (const topic of this.topics) live.addEventListener(topic, this.then)
  }

  hostDisconnected(): void {
    for (const topic of this.topics) live.removeEventListener(topic, this.then)
  }
}

/** Calls `task` with every `reports`th report of the server, so that lists refresh only while it is reachable. */
export class Refresh extends Watch {
  constructor(host: ReactiveControllerHost, reports: number, task: () => void) {
    let count = 0
    super(host, ['figures'], () => {
      if (++count % reports === 0 && !document.hidden) task()
    })
  }
}
