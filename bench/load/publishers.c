/* Connections that send one request after another, as fast as replies come or at a fixed rate.
 *
 * Over HTTP, or on a WebSocket. There, a request is a text frame followed by an empty ping. The pong is the reply: it
 * comes after the frame before it has been handled.
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

enum { SIGN_AGAIN_US = 10000000 }; /* signatures are valid for a minute */
typedef struct {
  int fd, index, next_channel, signature;
  bool waiting;
  int64_t sent_at;
  uint32_t *sent; /* by channel */
  Request request;
  Reply reply;
} Publisher;

Published published;
static PublisherOptions options;
static Publisher *publishers;
static uint32_t *sent;
static bool publishing, has_failed;
static int64_t number, started, due_at;
static char signature[SIGNED_LENGTH + 1];
static int signature_generation;
static int64_t signed_at;

static void shake_hands(int fd, int port) {
  char text[4096];
  size_t length = 0;
  write_all(fd, text, handshake_request(text, sizeof text, options.socket_path, port));
  do {
    ssize_t got = read(fd, text + length, sizeof text - length - 1);
    if (got <= 0) fail("a publisher was refused");
    text[length += (size_t)got] = 0;
  } while (!strstr(text, "\r\n\r\n"));
  if (strncmp(text, "HTTP/1.1 101", 12)) fail("a publisher was refused: %.80s", text);
}

/* 1: the pong is complete. 0: incomplete. -1: not a pong. */
static int pong_feed(Publisher *publisher, const char *bytes, size_t length) {
  static const char pong[] = {(char)0x8a, 0};
  size_t known = publisher->reply.head_length;
  if (known + length > sizeof pong || memcmp(bytes, pong + known, length)) return -1;
  publisher->reply.head_length += length;
  if (publisher->reply.head_length < sizeof pong) return 0;
  publisher->reply.status = 200;
  return 1;
}

static void connect_publisher(Publisher *publisher) {
  int port = port_of(&options.servers, publisher->index);
  publisher->fd = dial(port, 0);
  if (options.socket_path) shake_hands(publisher->fd, port);
  fcntl(publisher->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {EPOLLIN, {.u64 = 1ull << 32 | (uint64_t)publisher->index}};
  epoll_ctl(options.epoll, EPOLL_CTL_ADD, publisher->fd, &event);
}

void publishers_prepare(const PublisherOptions *given) {
  Request request;
  options = *given;
  if (options.count == 0) return;
  request_read(&request, options.request_path);
  publishers = calloc((size_t)options.count, sizeof *publishers);
  sent = calloc((size_t)options.count * (size_t)options.channels, sizeof *sent);
  for (int i = 0; i < options.count; i++) {
    publishers[i].index = i;
    publishers[i].sent = sent + i * options.channels;
    /* Publishers start at different channels, so that they do not all post to the same one at the same time. */
    publishers[i].next_channel = (int)((int64_t)i * options.channels / options.count);
    request_copy(&publishers[i].request, &request);
    connect_publisher(&publishers[i]);
  }
}

static void refresh_signature(Publisher *publisher, int64_t now) {
  Request *request = &publisher->request;
  if (request->signs == 0) return;
  if (signature_generation == 0 || now - signed_at > SIGN_AGAIN_US) {
    sign_now(options.secret, signature);
    signed_at = now;
    signature_generation++;
  }
  if (publisher->signature == signature_generation) return;
  publisher->signature = signature_generation;
  for (int i = 0; i < request->signs; i++) memcpy(request->bytes + request->sign_at[i], signature, SIGNED_LENGTH);
}

/* `us` is when the request was due: a delay of the publisher counts as latency, not as less load. */
static void fill_in(Publisher *publisher, int64_t us) {
  Request *request = &publisher->request;
  /* Numbered requests connect the subscribers: number i is in channel i % channels. */
  if (request->numbers) publisher->next_channel = (int)(number % options.channels);
  int places = request->stamps > request->channels ? request->stamps : request->channels;
  for (int i = 0; i < places; i++) {
    int channel = publisher->next_channel;
    publisher->next_channel = (channel + 1) % options.channels;
    if (i < request->channels) put_channel(request->bytes + request->channel_at[i], channel);
    if (i < request->stamps)
      put_stamp(request->bytes + request->stamp_at[i], channel, publisher->index, publisher->sent[channel]++, us);
  }
  for (int i = 0; i < request->numbers; i++)
    put_digits(request->bytes + request->number_at[i], NUMBER_LENGTH, number);
  number++;
}

static void send_request(Publisher *publisher, int64_t us) {
  if (options.limit && number >= options.limit) return;
  refresh_signature(publisher, us);
  fill_in(publisher, us);
  publisher->waiting = true;
  publisher->sent_at = now_us();
  reply_reset(&publisher->reply);
  write_all(publisher->fd, publisher->request.bytes, publisher->request.length);
}

void publishers_start(void) {
  publishing = true;
  due_at = started = now_us();
  if (options.rate > 0) return;
  for (int i = 0; i < options.count; i++)
    if (!publishers[i].waiting) send_request(&publishers[i], now_us());
}

void publishers_stop(void) { publishing = false; }

static Publisher *idle_publisher(void) {
  for (int i = 0; i < options.count; i++)
    if (!publishers[i].waiting) return &publishers[i];
  return NULL;
}

int64_t publishers_tick(void) {
  if (!publishing || options.rate <= 0) return -1;
  for (int64_t now = now_us(); due_at <= now; due_at += (int64_t)(1e6 / options.rate)) {
    Publisher *publisher = idle_publisher();
    if (!publisher) return -1; /* the next reply calls this again */
    send_request(publisher, due_at);
  }
  int64_t left = due_at - now_us();
  return left > 0 ? left : 0;
}

static void tell_failure(Publisher *publisher, const char *bytes, ssize_t length) {
  const char *body = length > 0 ? memmem(bytes, (size_t)length, "\r\n\r\n", 4) : NULL;
  published.errors++;
  if (!has_failed)
    fprintf(stderr, "load: a request failed: %d %.*s\n", publisher->reply.status,
            body ? (int)(bytes + length - body - 4) : 0, body ? body + 4 : "");
  has_failed = true;
}

static void complete(Publisher *publisher, const char *bytes, ssize_t length) {
  int64_t now = now_us();
  publisher->waiting = false;
  if (publisher->reply.status < 200 || publisher->reply.status > 299) tell_failure(publisher, bytes, length);
  published.requests++;
  published.messages += publisher->request.stamps;
  histogram_add(&published.reply_latency, now - publisher->sent_at);
  if (publishing && options.rate <= 0) send_request(publisher, now);
}

void publisher_readable(int index) {
  static char bytes[1 << 16];
  Publisher *publisher = &publishers[index];
  ssize_t got = read(publisher->fd, bytes, sizeof bytes);
  if (got < 0 && errno == EAGAIN) return;
  int outcome = got <= 0              ? -1
                : options.socket_path ? pong_feed(publisher, bytes, (size_t)got)
                                      : reply_feed(&publisher->reply, bytes, (size_t)got);
  if (outcome > 0) return complete(publisher, bytes, got);
  if (outcome == 0) return;
  if (publisher->waiting) tell_failure(publisher, bytes, got);
  publisher->waiting = false;
  close(publisher->fd);
  if (published.errors > 100) fail("too many requests failed");
  connect_publisher(publisher);
  if (publishing && options.rate <= 0) send_request(publisher, now_us());
}

bool publishers_idle(void) {
  for (int i = 0; i < options.count; i++)
    if (publishers[i].waiting) return false;
  return true;
}

const uint32_t *publishers_sent(void) { return sent; }
