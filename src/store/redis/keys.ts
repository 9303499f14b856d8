/** Names in Redis. All begin with one tag in braces, so that a Cluster keeps them in one slot. */
import { channelTopic } from '../store.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type { Topic } from '../store.ts'

export class Keys {
  /** The hash of the installation, and the beginning of all other names. The scripts make the rest of them. */
  readonly root: string
  readonly #pubsubPrefix: string
  readonly #topics: string

  /** Databases of one Redis hear each other's announcements, so topics have the number of theirs. */
  constructor(prefix: string, database: number) {
    this.root = `{${prefix}}`
    this.#pubsubPrefix = database === 0 ? this.root : `${this.root}/${database}`
    this.#topics = `${this.#pubsubPrefix}:t:`
  }

  connection(id: ConnId): string {
    return `${this.root}:n:${id}`
  }

  user(name: UserName): string {
    return `${this.root}:u:${name}`
  }

  get users(): string {
    return `${this.root}:users`
  }

  get channels(): string {
    return `${this.root}:channels`
  }

  answer(key: string): string {
    return `${this.root}:a:${key}`
  }

  /** Where events in a channel are announced. */
  topicOf(channel: ChannelName): string {
    return this.#topics + channel
  }

  /** The topic of what was announced there. */
  channelTopicOf(name: string): Topic {
    return channelTopic(name.slice(this.#topics.length) as ChannelName)
  }

  /** Where a server is told what concerns it alone. */
  server(id: string): string {
    return `${this.#pubsubPrefix}:s:${id}`
  }
}
