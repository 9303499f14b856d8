/** Settings for requests of backends, declared like those in `settings.ts`. */
import { oneOf, setting } from './values.ts'

export const REQUESTS = {
  unknown_fields: setting(
    oneOf<'refuse' | 'ignore'>({ refuse: 'refuse', ignore: 'ignore' }),
    'refuse',
    'What happens to unknown fields of requests, also inside channel_configs and info. refuse: the request is answered ' +
      'with 422. ignore: they have no effect, as in Channelstream 0.7.1 of PyPI. Additional keys of messages and edits ' +
      'are passed on either way.',
  ),
  channel_config_names: setting(
    oneOf<'any' | 'checked'>({ any: 'any', checked: 'checked' }),
    'any',
    'The names of channels that /channel_config accepts. any: all, even an empty one, as in the Python server. ' +
      'checked: 1 to 256 characters, as in all other requests; others are answered with 422.',
  ),
}
