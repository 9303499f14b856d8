/* WebSockets and event streams that listen, and the check that each message arrives exactly once and in order.
 *
 * Subscriber i listens to channel i % channels, on server i % servers. The next sequence number is known per subscriber
 * and publisher. A later number means that the ones in between are missing. An earlier one fills a gap late (reordered)
 * or is a duplicate (doubled).
 */
#define _GNU_SOURCE
#include "load.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { CHUNK = 1 << 18 };
enum { SHAKING, WAITING, READY, CLOSED };
typedef struct {
  int fd, state, channel, is_stream;
  int64_t missing;
  uint32_t *next; /* by publisher */
  uint8_t *rest;  /* the start of an incomplete frame */
  size_t rest_length;
} Subscriber;

Received received;
static SubscriberOptions options;
static Subscriber *subscribers;
/* All sockets share one buffer, which stays in the CPU cache: a buffer each would cost more than the parsing. */
static uint8_t chunk[2 * CHUNK];

void subscribers_prepare(const SubscriberOptions *given) {
  options = *given;
  subscribers = calloc((size_t)options.count + 1, sizeof *subscribers);
}

size_t handshake_request(char *text, size_t room, const char *path, int port) {
  return (size_t)snprintf(text, room,
                          "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                          path, port);
}

/* Server-Sent Events have paths of their own. */
static int is_stream(const char *path) { return !strncmp(path, "/sse", 4); }

static size_t stream_request(char *text, size_t room, const char *path, int port) {
  return (size_t)snprintf(text, room, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: text/event-stream\r\n\r\n",
                          path, port);
}

/* Masked with zeros, which leaves the payload unchanged. Only for payloads below 126 bytes. */
size_t masked_frame(char *bytes, int opcode, const char *payload, size_t length) {
  bytes[0] = (char)(0x80 | opcode);
  bytes[1] = (char)(0x80 | length);
  memset(bytes + 2, 0, 4);
  memcpy(bytes + 6, payload, length);
  return 6 + length;
}

static void answer(Subscriber *subscriber, int opcode, const char *payload, size_t length) {
  char frame[136];
  if (length < 126) write_all(subscriber->fd, frame, masked_frame(frame, opcode, payload, length));
}

void subscriber_open(int index) {
  Subscriber *subscriber = &subscribers[index];
  char request[2048];
  int port = port_of(&options.servers, index);
  subscriber->fd = dial(port, source_of(index));
  subscriber->channel = index % options.channels;
  if (options.publishers > 0) subscriber->next = calloc((size_t)options.publishers, sizeof(uint32_t));
  const char *path = options.paths[index % options.path_count];
  subscriber->is_stream = is_stream(path);
  size_t length = subscriber->is_stream ? stream_request(request, sizeof request, path, port)
                                        : handshake_request(request, sizeof request, path, port);
  write_all(subscriber->fd, request, length);
  fcntl(subscriber->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {EPOLLIN, {.u64 = (uint64_t)index}};
  epoll_ctl(options.epoll, EPOLL_CTL_ADD, subscriber->fd, &event);
}

static void become_ready(Subscriber *subscriber) {
  subscriber->state = READY;
  received.ready++;
}

static void end(Subscriber *subscriber) {
  if (subscriber->state < READY) fail("a subscriber was closed before it was ready");
  if (subscriber->state == READY) received.closed++;
  subscriber->state = CLOSED;
  close(subscriber->fd);
}

static int64_t digits(const uint8_t *at, int width) {
  int64_t value = 0;
  for (int i = 0; i < width; i++) value = value * 10 + (at[i] - '0');
  return value;
}

static void count(Subscriber *subscriber, int channel, int publisher, uint32_t sequence) {
  if (channel != subscriber->channel || publisher < 0 || publisher >= options.publishers) {
    received.strayed++;
    return;
  }
  uint32_t *next = &subscriber->next[publisher];
  received.delivered++;
  if (sequence == *next) {
    ++*next;
  } else if (sequence > *next) {
    subscriber->missing += sequence - *next;
    *next = sequence + 1;
  } else if (subscriber->missing > 0) {
    subscriber->missing--;
    received.reordered++;
  } else {
    received.doubled++;
  }
}

/* Each message carries one stamp, regardless of the frame format. See put_stamp. */
static void take_messages(Subscriber *subscriber, const uint8_t *at, size_t length, int64_t now) {
  const uint8_t *end = at + length;
  while ((at = memchr(at, '~', (size_t)(end - at)))) {
    if (end - at < STAMP_LENGTH || at[STAMP_LENGTH - 1] != '~') return;
    count(subscriber, (int)digits(at + 1, 5), (int)digits(at + 7, 3), (uint32_t)digits(at + 11, 9));
    histogram_add(&received.latency, now - digits(at + 21, 16));
    received.bytes += (int64_t)length;
    at += STAMP_LENGTH;
  }
}

static bool begins(const uint8_t *bytes, size_t length, const char *text) {
  return length >= strlen(text) && !memcmp(bytes, text, strlen(text));
}

static void take_frame(Subscriber *subscriber, int opcode, const uint8_t *payload, size_t length, int64_t now) {
  if (opcode == 9) return answer(subscriber, 10, (const char *)payload, length);
  if (opcode == 8) return end(subscriber);
  if (opcode > 2) return;
  if (options.ready_after && length == 1 && *payload == '2') return answer(subscriber, 1, "3", 1); /* Engine.IO ping */
  if (subscriber->state == WAITING && begins(payload, length, options.ready_after)) become_ready(subscriber);
  take_messages(subscriber, payload, length, now);
}

/* Returns the length of the head, or 0 if it is incomplete. Sets `*length` to that of the payload. */
static size_t frame_head(const uint8_t *bytes, size_t available, size_t *length) {
  if (available < 2) return 0;
  size_t extra = (bytes[1] & 127) == 126 ? 2 : (bytes[1] & 127) == 127 ? 8 : 0;
  if (available < 2 + extra) return 0;
  *length = bytes[1] & 127;
  if (extra) *length = 0;
  for (size_t i = 0; i < extra; i++) *length = *length << 8 | bytes[2 + i];
  return 2 + extra;
}

/* Returns how many bytes were complete frames. */
static size_t take_frames(Subscriber *subscriber, const uint8_t *bytes, size_t available) {
  size_t at = 0, length, head;
  int64_t now = now_us();
  while ((head = frame_head(bytes + at, available - at, &length)) && available - at >= head + length) {
    take_frame(subscriber, bytes[at] & 15, bytes + at + head, length, now);
    if (subscriber->state == CLOSED) return available;
    at += head + length;
  }
  return at;
}

/* Returns how many bytes were complete events. The framing of chunks is part of what lies between two events. */
static size_t take_events(Subscriber *subscriber, const uint8_t *bytes, size_t available) {
  size_t at = 0;
  int64_t now = now_us();
  const uint8_t *end;
  while ((end = memmem(bytes + at, available - at, "\n\n", 2))) {
    size_t length = (size_t)(end + 2 - (bytes + at));
    take_messages(subscriber, bytes + at, length, now);
    at += length;
  }
  return at;
}

static size_t take_handshake(Subscriber *subscriber, uint8_t *bytes, size_t available) {
  uint8_t *end = memmem(bytes, available, "\r\n\r\n", 4);
  if (!end) return 0;
  const char *expected = subscriber->is_stream ? "HTTP/1.1 200" : "HTTP/1.1 101";
  if (!begins(bytes, available, expected)) fail("handshake refused: %.*s", (int)available, (char *)bytes);
  subscriber->state = WAITING;
  if (options.hello && !subscriber->is_stream) answer(subscriber, 1, options.hello, strlen(options.hello));
  if (!options.ready_after) become_ready(subscriber);
  return (size_t)(end + 4 - bytes);
}

static void keep_rest(Subscriber *subscriber, const uint8_t *bytes, size_t length) {
  if (length > CHUNK) fail("a frame is larger than %d bytes", CHUNK);
  if (length == 0 && subscriber->rest_length == 0) return;
  subscriber->rest = realloc(subscriber->rest, length ? length : 1);
  memcpy(subscriber->rest, bytes, length);
  subscriber->rest_length = length;
}

void subscriber_readable(int index) {
  Subscriber *subscriber = &subscribers[index];
  size_t kept = subscriber->rest_length, used = 0;
  if (subscriber->state == CLOSED) return;
  if (kept) memcpy(chunk, subscriber->rest, kept);
  ssize_t got = read(subscriber->fd, chunk + kept, CHUNK);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) return end(subscriber);
  size_t available = kept + (size_t)got;
  if (subscriber->state == SHAKING) used = take_handshake(subscriber, chunk, available);
  if (subscriber->state != SHAKING) {
    size_t (*take)(Subscriber *, const uint8_t *, size_t) = subscriber->is_stream ? take_events : take_frames;
    used += take(subscriber, chunk + used, available - used);
  }
  if (subscriber->state != CLOSED) keep_rest(subscriber, chunk + used, available - used);
}

int64_t subscribers_expect(const uint32_t *published) {
  int64_t expected = 0;
  for (int publisher = 0; publisher < options.publishers; publisher++) {
    for (int channel = 0; channel < options.channels; channel++) {
      int listeners = (options.count + options.channels - 1 - channel) / options.channels;
      expected += (int64_t)listeners * published[publisher * options.channels + channel];
    }
  }
  return expected;
}

void subscribers_settle(const uint32_t *published) {
  for (int i = 0; i < options.count; i++) {
    const Subscriber *subscriber = &subscribers[i];
    received.lost += subscriber->missing;
    for (int publisher = 0; publisher < options.publishers; publisher++)
      received.lost += published[publisher * options.channels + subscriber->channel] - subscriber->next[publisher];
  }
}
