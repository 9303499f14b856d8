/** The types of examples/python/channelstream_client.py, and the versions of Python that it runs on. */
import { execFile, spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import * as Posted from '../../src/protocol/posted.ts'
import * as Requests from '../../src/protocol/requests.ts'
import * as Responses from '../../src/protocol/responses.ts'
import { WebhookEvent } from '../../src/protocol/webhooks.ts'
import { INSTALL_TIMEOUT_MS, setup } from '../helpers/debian-packages.ts'
import { ensurePythonPackages } from '../helpers/python-packages.ts'
import { startServer } from '../helpers/server.ts'
import { CLIENT, pythonEnv, runPython } from './client-driver.ts'
import type { PythonPackages } from '../helpers/python-packages.ts'

const run = promisify(execFile)

let python: PythonPackages
beforeAll(async () => {
  await setup()
  python = await ensurePythonPackages()
}, INSTALL_TIMEOUT_MS)

/** A program that uses the types, and one that mypy must not accept, with what it must say about each line. */
const RIGHT = `
from typing import Optional
from channelstream_client import Channelstream, RateLimited, philote_token, verify_webhook

with Channelstream("http://127.0.0.1:8000", "secret", timeout=5) as client:
    conn_id: str = client.connect("ann", channels=("lobby",), channel_configs={"lobby": {"history_size": 7}})["conn_id"]
    posted = client.message([{"user": "bob", "channel": "lobby", "message": {"n": 2**70}, "icon": "wave"}])
    client.message({"user": "bob", "channel": "lobby"})
    edited: str = client.edit({"uuid": posted[0]["uuid"], "channel": "lobby"})[0]["edited"]
    gone: bool = client.disconnect(conn_id)
    users: int = client.counts(["lobby"])["lobby"]["total_users"]
    private: Optional[str] = posted[0]["channel"]
    for item in client.history("lobby", limit=5)["history"]:
        at: str = item["timestamp"]
seconds: float = RateLimited("").retry_after
headers: dict[str, str] = {}
kinds: list[str] = [event["type"] for event in verify_webhook(headers, b"", ["a"], path="/hook")]
token: str = philote_token("secret", read=["lobby"])
`
const WRONG: readonly (readonly [line: string, fault: RegExp])[] = [
  ['client.connect(7)', /incompatible type "int"/],
  ['client.connect("ann", chanels=[])', /Unexpected keyword argument "chanels"/],
  [
    'client.connect("ann", channel_configs={"a": {"history_size": "7"}})',
    /item "history_size" has type "int"/,
  ],
  ['client.info()["chanels"]', /has no key "chanels"/],
  ['client.counts()["lobby"]["total_users"].upper()', /"int" has no attribute "upper"/],
  ['client.message("hello")', /incompatible type/],
  ['client.delete(None)', /incompatible type "None"/],
  ['verify_webhook({}, "text", "a", path="/hook")', /incompatible type "str"; expected "bytes"/],
]

describe('mypy --strict', () => {
  it('finds nothing in the client, accepts right programs and refuses wrong ones', async (context) => {
    if (python.missing !== undefined) return context.skip(python.missing)
    const folder = await mkdtemp(join(tmpdir(), 'channelstream-mypy-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const mypy = join(python.bin, 'mypy')
    const check = (files: readonly string[]) =>
      run(mypy, ['--strict', '--cache-dir', join(folder, 'cache'), ...files], {
        ...{ cwd: folder, env: { ...pythonEnv(), MYPYPATH: pythonEnv()['PYTHONPATH'] } },
      }).catch((error: unknown) => error as { readonly stdout: string })
    await writeFile(join(folder, 'right.py'), RIGHT)
    const begin = `from channelstream_client import Channelstream, verify_webhook
client = Channelstream("http://127.0.0.1:8000", "secret")
`
    await writeFile(join(folder, 'wrong.py'), begin + WRONG.map(([line]) => `${line}\n`).join(''))
    expect((await check([CLIENT, 'right.py'])).stdout).toContain('Success: no issues found in 2')
    const { stdout } = await check(['wrong.py'])
    WRONG.forEach(([line, fault], index) => {
      const at = `wrong.py:${index + 3}: error: `
      const said = stdout.split('\n').filter((text) => text.startsWith(at))
      expect([line, said.join('\n')]).toEqual([line, expect.stringMatching(fault)])
    })
  }, 240_000)
})

/** The fields of a schema, or of all kinds of a union. */
interface Shape {
  readonly [field: string]: { safeParse(value: unknown): { readonly success: boolean } }
}
const fieldsOf = (shape: Shape) => {
  const isOptional = (field: string) => shape[field]?.safeParse(undefined).success === true
  const fields = Object.keys(shape).toSorted()
  return {
    required: fields.filter((field) => !isOptional(field)),
    optional: fields.filter(isOptional),
  }
}

describe('the types of answers', () => {
  it('have the fields of the schemas of the server', async () => {
    const script = `
import json, typing
import channelstream_client as module

def fields(kind):
    return {"required": sorted(kind.__required_keys__), "optional": sorted(kind.__optional_keys__)}

kinds = {name: kind for name, kind in vars(module).items() if typing.is_typeddict(kind) and name[0] != "_"}
print(json.dumps({name: fields(kind) for name, kind in kinds.items()}))
`
    const inPython = (await runPython(script)) as Record<string, object>
    const counted = Responses.CountedMessagesResponse.element.shape.recipients
    const shapes: Record<string, Shape> = {
      HistoryItem: Responses.HistoryItem.shape,
      ChannelInfo: Responses.ChannelInfo.shape,
      UserInfo: Responses.ChannelsInfo.shape.users.element.shape,
      ChannelsInfo: Responses.ChannelsInfo.shape,
      ConnectResponse: Responses.ConnectResponse.shape,
      SubscribeResponse: Responses.SubscribeResponse.shape,
      UnsubscribeResponse: Responses.UnsubscribeResponse.shape,
      DisconnectUserResponse: Responses.DisconnectUserResponse.shape,
      StateChange: Responses.UserStateResponse.shape.changed_state.element.shape,
      UserStateResponse: Responses.UserStateResponse.shape,
      Recipients: Responses.Recipients.shape,
      PostedMessage: { ...Posted.PostedMessage.shape, recipients: counted.optional() },
      PostedEdit: Posted.PostedEdit.shape,
      PostedDelete: Posted.PostedDelete.shape,
      HistoryResponse: Responses.HistoryResponse.shape,
      ChannelCounts: Responses.ChannelCounts.shape,
      OnlineUser: Responses.OnlineUser.shape,
      AdminUser: Responses.AdminResponse.shape.users.element.shape,
      AdminResponse: Responses.AdminResponse.shape,
      HealthResponse: Responses.HealthResponse.shape,
    }
    for (const [name, shape] of Object.entries(shapes))
      expect([name, inPython[name]]).toEqual([name, fieldsOf(shape)])

    const ofEvents = WebhookEvent.options.map(({ shape }) => Object.keys(shape))
    const all = [...new Set(ofEvents.flat())].toSorted()
    const required = all.filter((field) => ofEvents.every((fields) => fields.includes(field)))
    const optional = all.filter((field) => !required.includes(field))
    expect(inPython['WebhookEvent']).toEqual({ required, optional })

    const ofRequest = (schema: { readonly shape: object }) => Object.keys(schema.shape).toSorted()
    const requests = {
      ChannelSettings: ofRequest(Requests.ChannelSettings),
      InfoOptions: ofRequest(Requests.InfoOptions),
      MessageRequest: ofRequest(Requests.MessageRequest),
      EditRequest: ofRequest(Requests.EditRequest),
      DeleteRequest: ofRequest(Requests.DeleteRequest),
    }
    for (const [name, fields] of Object.entries(requests))
      expect([
        name,
        Object.values(inPython[name] ?? {})
          .flat()
          .toSorted(),
      ]).toEqual([name, fields])
    const known = [...Object.keys(shapes), ...Object.keys(requests), 'WebhookEvent']
    expect(Object.keys(inPython).toSorted()).toEqual(known.toSorted())
  })
})

/** Returns an interpreter of this version: one in the path, or one of pyenv. */
function findPython(version: string): string | undefined {
  const inPath = `python${version}`
  if (spawnSync(inPath, ['--version']).status === 0) return inPath
  const pyenv = join(process.env['PYENV_ROOT'] ?? join(homedir(), '.pyenv'), 'versions')
  const found = existsSync(pyenv) ? readdirSync(pyenv) : []
  const [newest] = found.filter((name) => name.startsWith(`${version}.`)).toReversed()
  return newest === undefined ? undefined : join(pyenv, newest, 'bin', 'python')
}

describe('the client', () => {
  for (const version of ['3.9', '3.10', '3.11', '3.12', '3.13', '3.14'])
    it(`runs on Python ${version}`, async (context) => {
      const interpreter = findPython(version)
      if (interpreter === undefined) return context.skip(`Python ${version} is missing`)
      const server = await startServer()
      onTestFinished(() => server.close())
      const script = `
import json, sys
from channelstream_client import *

with Channelstream(sys.argv[1], "secret") as client:
    connection = client.connect("ann", channels=["lobby"])
    client.message({"user": "bob", "channel": "lobby", "message": {"n": 2**70}})
    try:
        client.history("unknown")
    except InvalidRequest as error:
        fields = error.fields
    try:
        Channelstream("http://127.0.0.1:1", "secret", retries=1).health()
    except Unavailable as error:
        attempts = error.attempts
    try:
        verify_webhook({}, b"", "secret", path="/hook")
    except InvalidSignature:
        print(json.dumps(["%d.%d" % sys.version_info[:2], fields, attempts, client.counts()]))
philote_token("secret", read=["lobby"], expires_in=60)
`
      const given = { python: interpreter }
      expect(await runPython(script, [server.url], given)).toEqual([
        ...[version, { channel: ['Unknown channel'] }, 2],
        { lobby: { total_connections: 1, total_users: 1 } },
      ])
    })
})
