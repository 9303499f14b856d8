import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { faultsOf, load, section } from './loading.ts'

describe('the ini file', () => {
  it('takes the file that CHANNELSTREAM_INI names, unless a flag names one', () => {
    const readFile = (path: string) => section(`admin_user = ${path}`)
    const env = { CHANNELSTREAM_INI: 'env.ini' }
    expect(loadConfig({ argv: [], env, readFile }).config.admin_user).toBe('env.ini')
    for (const argv of [
      ['-i', 'flag.ini'],
      ['-iflag.ini'],
      ['--ini=flag.ini'],
      ['--ini', 'flag.ini'],
    ]) {
      expect(loadConfig({ argv, env, readFile }).config.admin_user).toBe('flag.ini')
    }
  })

  it('tells that a file cannot be read, beside other faults', () => {
    expect(faultsOf({ argv: ['--ini', 'b.ini', '--port', 'x'] })).toEqual([
      "--ini: b.ini cannot be read: ENOENT: no such file or directory, open 'b.ini'",
      '--port: invalid value "x", expected a whole number from 0 to 65535',
    ])
  })
})

describe('the environment', () => {
  it('passes the variables of Kubernetes over', () => {
    const env = {
      CHANNELSTREAM_SERVICE_HOST: '10.0.0.7',
      CHANNELSTREAM_SERVICE_PORT: '8000',
      CHANNELSTREAM_SERVICE_PORT_HTTP: '8000',
      CHANNELSTREAM_PORT: 'tcp://10.0.0.7:8000',
      CHANNELSTREAM_PORT_8000_TCP: 'tcp://10.0.0.7:8000',
      CHANNELSTREAM_PORT_8000_TCP_PROTO: 'tcp',
      CHANNELSTREAM_PORT_8000_TCP_PORT: '8000',
      CHANNELSTREAM_PORT_8000_TCP_ADDR: '10.0.0.7',
      CHANNELSTREAM_REDIS_PORT: 'tcp://10.0.0.8:6379',
      CHANNELSTREAM_REDIS_SERVICE_HOST: '10.0.0.8',
    }
    expect(load({ env }).config.port).toBe(8000)
    expect(faultsOf({ env: { CHANNELSTREAM_SERVICE: 'x' } })).toHaveLength(1)
  })

  it('passes variables of others over', () => {
    expect(
      load({ env: { PORT: 'x', CHANNELSTREAMS_PORT: 'x', channelstream_port: 'x' } }).config.port,
    ).toBe(8000)
  })
})

describe('flags', () => {
  it.each([
    [['--gc-conns-after', '7']],
    [['--gc_conns_after', '7']],
    [['--gc-conns-after=7']],
    [['--gc_conns_after=7']],
    [['--gc-conns-after', '3', '--gc-conns-after', '7']],
  ])('reads %j', (argv) => {
    expect(load({ argv }).config.gc_conns_after).toBe(7)
  })

  it('lets true or false go without a value', () => {
    expect(load({ argv: ['--debug', '--port', '1'] }).config).toMatchObject({
      debug: true,
      port: 1,
    })
    expect(load({ argv: ['--validate-requests=off'] }).config.validate_requests).toBe(false)
    expect(load({ argv: ['--validate-requests', 'no'] }).config.validate_requests).toBe(false)
  })

  it('wants a value for the others, and takes one with a dash', () => {
    expect(faultsOf({ argv: ['--port'] })).toEqual(['--port: missing value'])
    expect(faultsOf({ argv: ['-i'] })).toEqual(['-i: missing value'])
    expect(faultsOf({ argv: ['--secret', '--port=1'] })).toEqual([
      '--secret: missing value; if the value starts with dashes, write --secret=VALUE',
    ])
    expect(load({ argv: ['--secret', '-x', '--admin-secret=--y'] }).config).toMatchObject({
      secret: '-x',
      admin_secret: '--y',
    })
  })

  it('tells one fault for an unknown flag and its value', () => {
    expect(faultsOf({ argv: ['-p', '9000'] })).toEqual(['-p: unknown setting "p"'])
    expect(faultsOf({ argv: ['-p9000'] })).toHaveLength(1)
  })
})
