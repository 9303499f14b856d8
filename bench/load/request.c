/* Raw HTTP requests with placeholders, their replies, and their sockets.
 *
 * A complete request is read from a file. These placeholders are overwritten. Their width is fixed, so that
 * Content-Length stays valid: "@stamp@…" (38 characters), "@chan@", "@number@…" (12) and "@sign@…" (40).
 */
#define _GNU_SOURCE
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int find_places(const Request *request, const char *name, size_t *places, int room) {
  int count = 0;
  const char *end = request->bytes + request->length, *at = request->bytes;
  while ((at = memmem(at, (size_t)(end - at), name, strlen(name)))) {
    if (count == room) fail("more than %d times %s in a request", room, name);
    places[count++] = (size_t)(at - request->bytes);
    at += strlen(name);
  }
  return count;
}

void request_read(Request *request, const char *path) {
  FILE *file = fopen(path, "r");
  if (!file) fail("cannot read %s", path);
  fseek(file, 0, SEEK_END);
  request->length = (size_t)ftell(file);
  rewind(file);
  request->bytes = malloc(request->length + 1);
  if (fread(request->bytes, 1, request->length, file) != request->length) fail("cannot read %s", path);
  fclose(file);
  request->bytes[request->length] = 0;
  request->stamps = find_places(request, "@stamp@", request->stamp_at, MAX_PLACES);
  request->channels = find_places(request, "@chan@", request->channel_at, MAX_PLACES);
  request->numbers = find_places(request, "@number@", request->number_at, 8);
  request->signs = find_places(request, "@sign@", request->sign_at, 2);
}

void request_copy(Request *copy, const Request *request) {
  *copy = *request;
  copy->bytes = malloc(request->length + 1);
  memcpy(copy->bytes, request->bytes, request->length + 1);
}

void put_digits(char *at, int width, int64_t value) {
  while (width > 0) {
    at[--width] = (char)('0' + value % 10);
    value /= 10;
  }
}

void put_stamp(char *at, int channel, int publisher, int64_t sequence, int64_t us) {
  at[0] = '~';
  put_digits(at + 1, 5, channel);
  at[6] = '.';
  put_digits(at + 7, 3, publisher);
  at[10] = '.';
  put_digits(at + 11, 9, sequence);
  at[20] = '.';
  put_digits(at + 21, 16, us);
  at[37] = '~';
}

void put_channel(char *at, int channel) {
  at[0] = 'c';
  put_digits(at + 1, CHANNEL_LENGTH - 1, channel);
}

void reply_reset(Reply *reply) {
  reply->head_length = 0;
  reply->status = 0;
  memset(reply->tail, 0, sizeof reply->tail);
}

/* Parses the head. Returns its length, 0 if it is incomplete, or -1 if it is not HTTP. */
static int64_t read_head(Reply *reply) {
  char *end = memmem(reply->head, reply->head_length, "\r\n\r\n", 4);
  if (!end) return reply->head_length < sizeof reply->head - 1 ? 0 : -1;
  if (memcmp(reply->head, "HTTP/1.", 7)) return -1;
  end[2] = 0;
  reply->status = atoi(reply->head + 9);
  char *length = strcasestr(reply->head, "\r\ncontent-length:");
  reply->chunked = !length && strcasestr(reply->head, "\r\ntransfer-encoding:");
  reply->remaining = length ? atoll(length + 17) : 0;
  return end + 4 - reply->head;
}

/* A chunked reply ends with an empty chunk. Only the end is checked, since replies are not pipelined. */
static int feed_chunks(Reply *reply, const char *bytes, size_t length) {
  for (size_t i = length > 5 ? length - 5 : 0; i < length; i++) {
    memmove(reply->tail, reply->tail + 1, 4);
    reply->tail[4] = bytes[i];
  }
  return !memcmp(reply->tail, "0\r\n\r\n", 5);
}

int reply_feed(Reply *reply, const char *bytes, size_t length) {
  if (reply->status) {
    if (reply->chunked) return feed_chunks(reply, bytes, length);
    reply->remaining -= (int64_t)length;
    return reply->remaining <= 0;
  }
  size_t room = sizeof reply->head - 1 - reply->head_length, before = reply->head_length;
  size_t taken = length < room ? length : room;
  memcpy(reply->head + before, bytes, taken);
  reply->head_length += taken;
  int64_t head = read_head(reply);
  if (head <= 0) return (int)head;
  size_t used = (size_t)head - before;
  if (!reply->chunked && reply->remaining == 0) return 1;
  return used < length ? reply_feed(reply, bytes + used, length - used) : 0;
}

int source_of(int64_t i) { return i < 20000 ? 0 : (int)(2 + i / 20000 % 200); }

Servers servers_read(const char *list) {
  Servers servers = {0};
  for (const char *at = list; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
    if (servers.count == MAX_PORTS) fail("more than %d servers", MAX_PORTS);
    servers.ports[servers.count++] = atoi(at);
  }
  if (servers.count == 0) fail("port= is missing");
  return servers;
}

int port_of(const Servers *servers, int64_t i) { return servers->ports[i % servers->count]; }

int dial(int port, int source) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  if (fd < 0) fail("no more sockets: %s", strerror(errno));
  if (source > 0) {
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000u + (unsigned)source)};
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (void *)&from, sizeof from) < 0) fail("bind: %s", strerror(errno));
  }
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (void *)&to, sizeof to) < 0) fail("connect: %s", strerror(errno));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

void write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = write(fd, bytes, length);
    if (written > 0) {
      bytes += written;
      length -= (size_t)written;
    } else if (errno == EAGAIN) {
      poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 1000);
    } else {
      return; /* the next read reports the error */
    }
  }
}
