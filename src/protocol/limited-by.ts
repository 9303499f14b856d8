/**
 * Says which setting of the server limits a list, a map or a number. The description of the API shows the value that the
 * running server has, and the name of the setting.
 */
export const LIMITED_BY = 'x-setting'

export const limitedBy = (setting: LimitingSetting) => ({ [LIMITED_BY]: setting })

export type LimitingSetting =
  | 'max_channels_per_request'
  | 'max_channels_per_message'
  | 'max_counts_per_request'
  | 'max_history_size'
  | 'max_messages_per_request'
  | 'max_users_per_message'
