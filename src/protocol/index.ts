/** The wire protocol: requests, answers, events, errors, close codes. Published as `channelstream/protocol`. */
export * from './close-codes.ts'
export * from './complaints.ts'
export * from './errors.ts'
export * from './events.ts'
export * from './fields.ts'
export * from './ids.ts'
export * from './requests.ts'
export * from './responses.ts'
