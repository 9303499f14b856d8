import { afterAll, describe, expect, it, vi } from 'vitest'
import { ConfigError } from '../../src/config/load.ts'
import { loadPhilote } from '../../src/config/philote-environment.ts'
import { ServerProcess, killProcesses } from '../helpers/process.ts'
import { loadCases } from './cases.ts'
import { play } from './player.ts'
import { SECRET, startPhilote } from './start.ts'
import type { Case } from './cases.ts'

// They mostly wait, so that many fit side by side.
vi.setConfig({ maxConcurrency: 6 })

afterAll(killProcesses)

/** The environment of a case, on top of what a server of tests has. */
function environmentOf({ env = {} }: Case): Record<string, string> {
  const given = Object.entries({ SECRET, LOGLEVEL: 'error', ...env })
  return Object.fromEntries(given.filter(([, value]) => value !== null))
}

/** Plays it against a server in this process, or, where time or the processor matters, against one of its own. */
async function playJwt(played: Case): Promise<void> {
  const env = environmentOf(played)
  const secret = env['SECRET'] ?? ''
  if (played.alone) {
    const server = await ServerProcess.startPhilote({ env })
    return play(played, { port: server.port, secret, pid: server.pid }).finally(() => server.kill())
  }
  const server = await startPhilote(env)
  return play(played, { port: server.port, secret }).finally(() => server.close())
}

const cases = loadCases()

describe('recorded cases', () => {
  it('are all there', () => {
    const count = (of: Case['generation']): number =>
      cases.filter(({ generation }) => generation === of).length
    expect({ jwt: count('jwt'), redis: count('redis') }).toEqual({ jwt: 174, redis: 112 })
  })
})

const jwtCases = cases.filter(({ generation }) => generation === 'jwt')

describe.concurrent('recorded cases of the JWT generation', () => {
  for (const played of jwtCases.filter(({ alone }) => !alone)) {
    const { label, about } = played
    it(`${label}: ${about}`, { timeout: 90_000 }, async () => {
      if (played.start !== 'fails') return playJwt(played)
      expect(() => loadPhilote([], environmentOf(played))).toThrow(ConfigError)
    })
  }
})

describe('recorded cases of the JWT generation, one by one', () => {
  for (const played of jwtCases.filter(({ alone }) => alone)) {
    const { label, about } = played
    it(`${label}: ${about}`, { timeout: 90_000 }, () => playJwt(played))
  }
})
