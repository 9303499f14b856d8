/** The scripts of this folder, as text. The build puts them into the code, so that no file is read at the start. */
import addSlowClient from './add-slow-client.lua'
import adminSessions from './admin-sessions.lua'
import aging from './aging.lua'
import announce from './announce.lua'
import attach from './attach.lua'
import audience from './audience.lua'
import audit from './audit.lua'
import beat from './beat.lua'
import changeEvents from './change-events.lua'
import channelSummaries from './channel-summaries.lua'
import channel from './channel.lua'
import channelsOf from './channels-of.lua'
import channels from './channels.lua'
import claim from './claim.lua'
import common from './common.lua'
import configure from './configure.lua'
import confirmWebhooks from './confirm-webhooks.lua'
import connect from './connect.lua'
import connectionsOf from './connections-of.lua'
import countChannels from './count-channels.lua'
import countConnections from './count-connections.lua'
import detach from './detach.lua'
import drop from './drop.lua'
import endSession from './end-session.lua'
import ensure from './ensure.lua'
import enter from './enter.lua'
import events from './events.lua'
import exit from './exit.lua'
import figures from './figures.lua'
import findSession from './find-session.lua'
import floors from './floors.lua'
import histories from './histories.lua'
import history from './history.lua'
import idempotencyCache from './idempotency-cache.lua'
import join from './join.lua'
import keptHistory from './kept-history.lua'
import leave from './leave.lua'
import listen from './listen.lua'
import longHistory from './long-history.lua'
import lost from './lost.lua'
import missed from './missed.lua'
import noteWebhook from './note-webhook.lua'
import openSession from './open-session.lua'
import positions from './positions.lua'
import publish from './publish.lua'
import readWebhooks from './read-webhooks.lua'
import reclaim from './reclaim.lua'
import records from './records.lua'
import releaseWebhooks from './release-webhooks.lua'
import root from './root.lua'
import setState from './set-state.lua'
import settle from './settle.lua'
import state from './state.lua'
import sweep from './sweep.lua'
import tokenBuckets from './token-buckets.lua'
import userLimits from './user-limits.lua'
import users from './users.lua'
import webhookEndpoints from './webhook-endpoints.lua'
import webhookFigures from './webhook-figures.lua'
import webhookMessages from './webhook-messages.lua'
import webhooks from './webhooks.lua'

/** By the name of the file, without its ending. */
export const LUA = {
  'admin-sessions': adminSessions,
  aging,
  announce,
  attach,
  audience,
  audit,
  beat,
  'change-events': changeEvents,
  channel,
  channels,
  'channels-of': channelsOf,
  claim,
  common,
  configure,
  connect,
  'connections-of': connectionsOf,
  'count-channels': countChannels,
  'count-connections': countConnections,
  detach,
  drop,
  'end-session': endSession,
  ensure,
  enter,
  events,
  exit,
  figures,
  'find-session': findSession,
  floors,
  histories,
  history,
  'idempotency-cache': idempotencyCache,
  join,
  'kept-history': keptHistory,
  leave,
  listen,
  'long-history': longHistory,
  lost,
  missed,
  'open-session': openSession,
  positions,
  publish,
  reclaim,
  records,
  root,
  'set-state': setState,
  settle,
  state,
  'channel-summaries': channelSummaries,
  sweep,
  'token-buckets': tokenBuckets,
  'user-limits': userLimits,
  users,
  'add-slow-client': addSlowClient,
  'confirm-webhooks': confirmWebhooks,
  'note-webhook': noteWebhook,
  'read-webhooks': readWebhooks,
  'release-webhooks': releaseWebhooks,
  'webhook-endpoints': webhookEndpoints,
  'webhook-figures': webhookFigures,
  'webhook-messages': webhookMessages,
  webhooks,
} as const satisfies Readonly<Record<string, string>>
