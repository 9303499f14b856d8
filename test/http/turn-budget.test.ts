import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { TurnBudget } from '../../src/http/turn-budget.ts'
import { signature } from '../helpers/http.ts'
import { startServer } from '../helpers/server.ts'

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('budget of work', () => {
  const done: string[] = []
  let budget: TurnBudget
  const take = (name: string, bytes: number): void =>
    budget.take({ bytes, run: () => void done.push(name) })

  beforeEach(() => {
    done.length = 0
    budget = new TurnBudget()
  })

  it('are done at once as long as they are small', () => {
    for (const name of ['a', 'b', 'c']) take(name, 20_000)
    expect(done).toEqual(['a', 'b', 'c'])
  })

  it('are done in later turns beyond 64 KiB, in the order in which they came', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) take(name, 40_000)
    expect(done).toEqual(['a', 'b'])
    await nextTurn()
    expect(done).toEqual(['a', 'b', 'c', 'd'])
    take('f', 1)
    await nextTurn()
    expect(done).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  })

  it('do not push in before those that wait', async () => {
    for (const name of ['a', 'b', 'c']) take(name, 70_000)
    take('small', 1)
    expect(done).toEqual(['a'])
    await nextTurn()
    await nextTurn()
    expect(done).toEqual(['a', 'b', 'c'])
    await nextTurn()
    expect(done).toEqual(['a', 'b', 'c', 'small'])
  })

  it('ask for the next turn once, also if they are empty', () => {
    const asked = vi.spyOn(globalThis, 'setImmediate')
    for (const name of ['a', 'b', 'c']) take(name, 0)
    expect(done).toEqual(['a', 'b', 'c'])
    expect(asked).toHaveBeenCalledTimes(1)
    asked.mockRestore()
  })

  it('may have steps: each has a turn, and others come in between', async () => {
    function* work(name: string) {
      for (const step of [1, 2]) yield done.push(`${name}${step}`)
      done.push(`${name}3`)
      return name
    }
    const tell = (error: Error | null, result?: string): void =>
      void done.push(`${error?.message ?? 'no error'}, ${result ?? 'nothing'}`)
    budget.takeSteps(work('a'), tell)
    budget.takeSteps(work('b'), tell)
    take('small', 1)
    expect(done).toEqual(['a1'])
    for (let turn = 0; turn < 10; turn++) await nextTurn()
    expect(done).toEqual([
      ...['a1', 'a2', 'b1', 'small'],
      ...['a3', 'no error, a', 'b2', 'b3', 'no error, b'],
    ])
  })

  it('are over with the step that fails', async () => {
    function* failing(): Generator<undefined, string> {
      yield
      throw new Error('broken')
    }
    budget.takeSteps(failing(), (error) => void done.push(String(error?.message)))
    await nextTurn()
    expect(done).toEqual(['broken'])
  })

  it('are done however large each of them is', async () => {
    take('huge', 10_000_000)
    await nextTurn()
    take('next', 10_000_000)
    expect(done).toEqual(['huge', 'next'])
  })
})

describe('a server that is sent much at once', () => {
  let server: Awaited<ReturnType<typeof startServer>>
  beforeEach(async () => {
    server = await startServer({ secret: 'secret' })
  })
  afterEach(() => server.close())

  it('works on it in budget, and answers all of it', async () => {
    let turn = 0
    const count = (): void => {
      turn++
      counting = setImmediate(count)
    }
    let counting = setImmediate(count)
    const turns: number[] = []
    const post = server.app.hub.postMessages.bind(server.app.hub)
    vi.spyOn(server.app.hub, 'postMessages').mockImplementation((...given) => {
      turns.push(turn)
      return post(...given)
    })
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        server.app.http.inject({
          method: 'POST',
          url: '/message',
          headers: signature(),
          payload: [{ channel: 'room', user: 'ann', message: { text: 'x'.repeat(40_000) } }],
        }),
      ),
    )
    clearImmediate(counting)
    expect(answers.map(({ statusCode }) => statusCode)).toEqual(answers.map(() => 200))
    expect(turns).toHaveLength(8)
    const perTurn = turns.map((one) => turns.filter((other) => other === one).length)
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(2)
  })
})
