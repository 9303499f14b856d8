import type { AdminSessionLimits, AdminSessionStore } from '../admin-sessions.ts'
import type { ScriptRunner } from './script-runner.ts'

/**
 * Keeps admin sessions in Redis, for all servers of the installation. They survive servers, but no restart of Redis.
 */
export class RedisAdminSessions implements AdminSessionStore {
  constructor(
    private readonly runner: ScriptRunner,
    private readonly limits: AdminSessionLimits,
  ) {}

  async open(name: string): Promise<void> {
    const { lifetimeMs, maxSessions } = this.limits
    await this.runner.run('openSession', name, lifetimeMs, maxSessions)
  }

  async isAnyOpen(names: readonly string[]): Promise<boolean> {
    return (await this.runner.run('findSession', names.length, ...names)) === 1
  }

  async end(names: readonly string[]): Promise<void> {
    await this.runner.run('endSession', names.length, ...names)
  }
}
