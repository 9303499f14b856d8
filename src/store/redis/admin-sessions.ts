import type { AdminSessionLimits, AdminSessionStore } from '../admin-sessions.ts'
import type { Installation } from './script-runner.ts'

/** Sessions in Redis, for all servers of the installation. They outlive the servers, and end when Redis is restarted. */
export class RedisAdminSessions implements AdminSessionStore {
  constructor(
    private readonly installation: Installation,
    private readonly limits: AdminSessionLimits,
  ) {}

  async open(name: string): Promise<void> {
    const { lifetimeMs, maxSessions } = this.limits
    await this.installation.run('openSession', name, lifetimeMs, maxSessions)
  }

  async isAnyOpen(names: readonly string[]): Promise<boolean> {
    return (await this.installation.run('findSession', names.length, ...names)) === 1
  }

  async end(names: readonly string[]): Promise<void> {
    await this.installation.run('endSession', names.length, ...names)
  }
}
