/**
 * Requests and answers, by the server's schemas. `scripts/build-types.mjs` publishes these types written out, so that
 * users need neither zod nor its types.
 */
import type { z } from 'zod'
import type * as History from '../protocol/history.ts'
import type * as InfoRequests from '../protocol/info-requests.ts'
import type * as Posted from '../protocol/posted.ts'
import type * as Requests from '../protocol/requests.ts'
import type * as Responses from '../protocol/responses.ts'
import type * as Webhooks from '../protocol/webhooks.ts'

export type InfoOptions = z.input<typeof Requests.InfoOptions>
export type ConnectRequest = z.input<typeof Requests.ConnectRequest>
export type SubscribeRequest = z.input<typeof Requests.SubscribeRequest>
export type UnsubscribeRequest = z.input<typeof Requests.UnsubscribeRequest>
export type DisconnectUserRequest = z.input<typeof Requests.DisconnectUserRequest>
export type MessageRequest = z.input<typeof Requests.MessageRequest>
export type EditRequest = z.input<typeof Requests.EditRequest>
export type DeleteRequest = z.input<typeof Requests.DeleteRequest>
export type UserStateRequest = z.input<typeof Requests.UserStateRequest>
export type ChannelConfigRequest = z.input<typeof Requests.ChannelConfigRequest>
export type HistoryRequest = z.input<typeof History.HistoryRequest>
export type CountsRequest = z.input<typeof InfoRequests.CountsRequest>

export type ChannelSettings = z.output<typeof Requests.ChannelSettings>
export type HistoryItem = z.output<typeof Responses.HistoryItem>
export type ChannelInfo = z.output<typeof Responses.ChannelInfo>
export type ChannelsInfo = z.output<typeof Responses.ChannelsInfo>
export type ConnectResponse = z.output<typeof Responses.ConnectResponse>
export type SubscribeResponse = z.output<typeof Responses.SubscribeResponse>
export type UnsubscribeResponse = z.output<typeof Responses.UnsubscribeResponse>
export type DisconnectUserResponse = z.output<typeof Responses.DisconnectUserResponse>
export type ChannelCounts = z.output<typeof Responses.ChannelCounts>
export type OnlineUser = z.output<typeof Responses.OnlineUser>
export type CountsResponse = z.output<typeof Responses.CountsResponse>
export type MessageResponse = z.output<typeof Posted.PostedMessage>
export type Recipients = z.output<typeof Responses.Recipients>
export type CountedMessageResponse = z.output<typeof Responses.CountedMessagesResponse>[number]
export type EditResponse = z.output<typeof Posted.PostedEdit>
export type DeleteResponse = z.output<typeof Posted.PostedDelete>
export type UserStateResponse = z.output<typeof Responses.UserStateResponse>
export type HistoryResponse = z.output<typeof Responses.HistoryResponse>
export type AdminResponse = z.output<typeof Responses.AdminResponse>
export type HealthResponse = z.output<typeof Responses.HealthResponse>

export type WebhookRequest = z.output<typeof Webhooks.WebhookRequest>
export type WebhookEvent = z.output<typeof Webhooks.WebhookEvent>
