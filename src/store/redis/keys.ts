/** Names of keys and topics in Redis. All begin with one hash tag, so that a Cluster keeps them in one slot. */
import { channelTopic } from '../store.ts'
import type { ChannelName, ConnId, UserName } from '../../protocol/ids.ts'
import type { Topic } from '../store.ts'

export class Keys {
  /** The hash of the installation. All other keys begin with its name; the scripts build those that are not here. */
  readonly root: string
  readonly #pubsubPrefix: string
  readonly #topics: string

  /** All databases of one Redis share pub/sub, so topics contain the number of the database. */
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

  /** The pub/sub topic for events in a channel. */
  topicOf(channel: ChannelName): string {
    return this.#topics + channel
  }

  /** The store's topic for a pub/sub topic of a channel. */
  channelTopicOf(name: string): Topic {
    return channelTopic(name.slice(this.#topics.length) as ChannelName)
  }

  /** The pub/sub topic for messages to one server. */
  server(id: string): string {
    return `${this.#pubsubPrefix}:s:${id}`
  }
}
