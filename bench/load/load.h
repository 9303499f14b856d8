/* Shared declarations of the load generator. One process, one thread (except churn), one epoll loop. */
#ifndef LOAD_H
#define LOAD_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- measure.c: clocks, latencies, figures of the server from /proc */

/* Monotonic, so that changes of the wall clock do not distort latencies. */
int64_t now_us(void);

/* A histogram with an error of at most 1/32, so that memory does not depend on the number of values. */
typedef struct {
  int64_t counts[64 * 32];
  int64_t total, max;
} Histogram;
void histogram_add(Histogram *histogram, int64_t value);
int64_t histogram_at(const Histogram *histogram, double share);

/* `pids` is a comma-separated list. Returns the sum over all of them. */
int64_t cpu_us_of(const char *pids);
int64_t rss_kib_of(const char *pids);
int64_t own_cpu_us(void);
/* Raises the limit of file descriptors to the maximum. Returns it. */
long raise_file_limit(void);
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* --- sign.c: the signature of backend requests, see src/http/signature.ts */

void sha1(const void *bytes, size_t length, uint8_t digest[20]);
void base64(const uint8_t *bytes, size_t length, const char *alphabet_end, char *text);
enum { SIGNED_LENGTH = 40 };
/* `bench.<timestamp>.<signature>`, signed now. */
void sign_now(const char *secret, char text[SIGNED_LENGTH + 1]);

/* --- request.c: raw HTTP requests with placeholders, and their replies */

/* Each message carries `~channel.publisher.sequence.microseconds~`, in digits of fixed width. */
enum { STAMP_LENGTH = 38, NUMBER_LENGTH = 12, CHANNEL_LENGTH = 6, MAX_PLACES = 4096 };
typedef struct {
  char *bytes;
  size_t length;
  int stamps, channels, numbers, signs;
  size_t stamp_at[MAX_PLACES], channel_at[MAX_PLACES], number_at[8], sign_at[2];
} Request;
void request_read(Request *request, const char *path);
void request_copy(Request *copy, const Request *request);
void put_digits(char *at, int width, int64_t value);
void put_stamp(char *at, int channel, int publisher, int64_t sequence, int64_t us);
void put_channel(char *at, int channel);

typedef struct {
  char head[8192];
  size_t head_length;
  int status; /* 0 until the head is complete */
  bool chunked;
  int64_t remaining;
  char tail[5];
} Reply;
void reply_reset(Reply *reply);
/* 1: the reply is complete. 0: incomplete. -1: not HTTP. */
int reply_feed(Reply *reply, const char *bytes, size_t length);
/* Servers that share the load: their ports on loopback, used in turn. */
enum { MAX_PORTS = 16 };
typedef struct {
  int count, ports[MAX_PORTS];
} Servers;
/* "8001,8002" */
Servers servers_read(const char *list);
int port_of(const Servers *servers, int64_t i);
/* Connects to loopback. `source` > 0: from 127.0.0.<source>. */
int dial(int port, int source);
void write_all(int fd, const char *bytes, size_t length);
/* Returns the source for connection i: beyond 20,000 connections, one address runs out of ports. */
int source_of(int64_t i);

/* --- subscribers.c: WebSockets, and the check of delivered messages */

typedef struct {
  int64_t delivered, bytes, lost, doubled, reordered, strayed;
  int ready, closed;
  Histogram latency;
} Received;
extern Received received;

typedef struct {
  Servers servers;
  int count, publishers, channels, epoll;
  char **paths;
  int path_count;
  const char *hello;       /* sent as a text frame after the handshake */
  const char *ready_after; /* ready after a text frame with this prefix; NULL: after the handshake */
} SubscriberOptions;
void subscribers_prepare(const SubscriberOptions *options);
void subscriber_open(int index);
void subscriber_readable(int index);
/* Returns the expected number of deliveries. `published` is indexed by [publisher * channels + channel]. */
int64_t subscribers_expect(const uint32_t *published);
/* At the end: counts messages that have not arrived as lost. */
void subscribers_settle(const uint32_t *published);
size_t handshake_request(char *text, size_t room, const char *path, int port);
size_t masked_frame(char *bytes, int opcode, const char *payload, size_t length);

/* --- publishers.c: connections that send one request after another */

typedef struct {
  int64_t requests, messages, errors;
  Histogram reply_latency;
} Published;
extern Published published;

typedef struct {
  Servers servers;
  int count, channels, epoll;
  const char *request_path, *secret;
  const char *socket_path; /* publish on a WebSocket at this path; NULL: over HTTP */
  double rate;    /* total requests per second; 0: each sends when it has its last reply */
  int64_t limit;  /* total requests; 0: until stopped */
} PublisherOptions;
void publishers_prepare(const PublisherOptions *options);
void publishers_start(void);
void publishers_stop(void);
/* Sends requests that are due at a fixed rate. Returns the microseconds until the next one is due, or -1. */
int64_t publishers_tick(void);
void publisher_readable(int index);
bool publishers_idle(void);
/* Messages sent so far, indexed by [publisher * channels + channel]. */
const uint32_t *publishers_sent(void);

/* --- churn.c */

typedef struct {
  int port, workers;
  const char *steps_path, *secret, *pids;
  double seconds;
} ChurnOptions;
void churn(const ChurnOptions *options);
#endif
