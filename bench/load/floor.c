/* The baseline: a server that only calls write(). POST /publish/c00000 sends the body as one WebSocket text frame to
 * each socket that opened /listen/c00000.
 *
 *     floor [gather]
 *
 * By default, each message is one write() per socket: the upper bound for servers that write each delivery. With
 * `gather`, all messages of an event-loop turn are one write() per socket: the upper bound for servers that batch. It
 * also shows the capacity of the load generator. Prints its port, which the system chooses.
 */
#define _GNU_SOURCE
#include "load.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FILES = 200000, MAX_CHANNELS = 100000, ROOM = 1 << 20 };
typedef struct {
  int *sockets, count, room;
  char *pending; /* with gather: the frames of this turn */
  size_t pending_length;
  bool is_due;
} Channel;
typedef struct {
  char *bytes;
  size_t length;
  Channel *channel; /* if it is a WebSocket */
} Peer;

static Peer peers[MAX_FILES];
static Channel channels[MAX_CHANNELS];
static Channel *due[MAX_CHANNELS];
static int due_count;
static bool gathers;

static Channel *channel_in(const char *path) {
  const char *name = strstr(path, "/c");
  int number = name ? atoi(name + 2) : 0;
  return &channels[number < MAX_CHANNELS && number > 0 ? number : 0];
}

static void end(int fd) {
  Channel *channel = peers[fd].channel;
  for (int i = 0; channel && i < channel->count; i++)
    if (channel->sockets[i] == fd) channel->sockets[i--] = channel->sockets[--channel->count];
  free(peers[fd].bytes);
  peers[fd] = (Peer){0};
  close(fd);
}

static void send_to_all(Channel *channel, const char *bytes, size_t length) {
  for (int i = 0; i < channel->count; i++) write_all(channel->sockets[i], bytes, length);
}

static size_t frame(char *at, const char *payload, size_t length) {
  size_t head = length < 126 ? 2 : 4;
  at[0] = (char)0x81;
  at[1] = length < 126 ? (char)length : 126;
  if (head == 4) at[2] = (char)(length >> 8), at[3] = (char)length;
  memcpy(at + head, payload, length);
  return head + length;
}

static void publish(Channel *channel, const char *payload, size_t length) {
  static char bytes[1 << 16];
  if (!gathers) return send_to_all(channel, bytes, frame(bytes, payload, length));
  if (!channel->pending) channel->pending = malloc(ROOM);
  if (channel->pending_length + length + 4 > ROOM) {
    send_to_all(channel, channel->pending, channel->pending_length);
    channel->pending_length = 0;
  }
  channel->pending_length += frame(channel->pending + channel->pending_length, payload, length);
  if (!channel->is_due) due[due_count++] = channel;
  channel->is_due = true;
}

static void flush(void) {
  for (int i = 0; i < due_count; i++) {
    send_to_all(due[i], due[i]->pending, due[i]->pending_length);
    due[i]->pending_length = 0;
    due[i]->is_due = false;
  }
  due_count = 0;
}

static void shake_hands(int fd, Peer *peer, const char *key) {
  static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  char text[128], accept[32], reply[256];
  uint8_t digest[20];
  int length = snprintf(text, sizeof text, "%.24s%s", key, magic);
  sha1(text, (size_t)length, digest);
  base64(digest, 20, "+/", accept);
  length = snprintf(reply, sizeof reply, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                         "Sec-WebSocket-Accept: %s=\r\n\r\n", accept);
  Channel *channel = channel_in(peer->bytes);
  if (channel->count == channel->room) {
    channel->room = channel->room ? channel->room * 2 : 4;
    channel->sockets = realloc(channel->sockets, (size_t)channel->room * sizeof(int));
  }
  channel->sockets[channel->count++] = fd;
  write_all(fd, reply, (size_t)length);
  free(peer->bytes);
  *peer = (Peer){.channel = channel};
}

/* One request at a time per connection: callers wait for the reply. */
static void take_request(int fd, Peer *peer) {
  static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  peer->bytes[peer->length] = 0;
  char *body = memmem(peer->bytes, peer->length, "\r\n\r\n", 4);
  if (!body) return;
  char *key = strcasestr(peer->bytes, "\r\nsec-websocket-key: ");
  if (key) return shake_hands(fd, peer, key + 21);
  char *said = strcasestr(peer->bytes, "\r\ncontent-length: ");
  size_t length = said ? (size_t)atol(said + 18) : 0;
  body += 4;
  if ((size_t)(peer->bytes + peer->length - body) < length) return;
  publish(channel_in(peer->bytes), body, length);
  peer->length = 0;
  write_all(fd, ok, sizeof ok - 1);
}

static void readable(int fd) {
  static char ignored[1 << 16];
  Peer *peer = &peers[fd];
  if (peer->channel) {
    /* Clients send only pongs and closes. */
    ssize_t got = recv(fd, ignored, sizeof ignored, MSG_DONTWAIT);
    if (got == 0 || (got > 0 && (ignored[0] & 15) == 8)) end(fd);
    return;
  }
  if (!peer->bytes) peer->bytes = malloc(1 << 16);
  ssize_t got = recv(fd, peer->bytes + peer->length, (1 << 16) - 1 - peer->length, MSG_DONTWAIT);
  if (got == 0) return end(fd);
  if (got < 0) return;
  peer->length += (size_t)got;
  take_request(fd, peer);
}

static int listen_anywhere(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (bind(fd, (void *)&address, size) < 0 || listen(fd, 4096) < 0) fail("cannot listen");
  getsockname(fd, (void *)&address, &size);
  printf("listening on %d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

int main(int count, char **arguments) {
  struct epoll_event events[512];
  int epoll = epoll_create1(0), on = 1;
  gathers = count > 1 && !strcmp(arguments[1], "gather");
  raise_file_limit();
  signal(SIGPIPE, SIG_IGN);
  int listener = listen_anywhere();
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event){EPOLLIN, {.fd = listener}});
  for (;;) {
    int ready = epoll_wait(epoll, events, 512, -1);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.fd != listener) {
        readable(events[i].data.fd);
        continue;
      }
      int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
      if (fd < 0 || fd >= MAX_FILES) continue;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){EPOLLIN, {.fd = fd}});
    }
    flush();
  }
}
