import { live } from './live.ts'
import type { ReactiveController, ReactiveControllerHost } from 'lit'
import type { Topic } from './live.ts'

/** Renders its host anew, or does `then`, whenever the server tells something of these topics. */
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

/** Calls `task` with every `reports`th report of the server: lists are read anew as long as it is there. */
export class Refresh extends Watch {
  constructor(host: ReactiveControllerHost, reports: number, task: () => void) {
    let heard = 0
    super(host, ['figures'], () => {
      if (++heard % reports === 0 && !document.hidden) task()
    })
  }
}
