/* Load generator for realtime servers: opens WebSockets, publishes over HTTP, and checks the delivered messages.
 *
 *     load port=8000 subscribers=1000 paths=FILE request=FILE publishers=8 seconds=3 pids=1234
 *     load churn=FILE port=8000 workers=16 seconds=3
 *
 * Prints one line of JSON. The options are described at `Options`, requests in request.c.
 */
#define _GNU_SOURCE
#include "load.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

typedef struct {
  const char *port;    /* of the server; publishers use several in turn: "8001,8002" */
  const char *listenport; /* of the servers for subscribers; default: same as port */
  int subscribers, publishers, channels, workers;
  int inflight;        /* concurrent handshakes */
  double seconds;      /* duration of the measurement */
  double warmup;       /* seconds of publishing before that; checked, but not measured */
  double idle;         /* idle seconds after all are connected, before memory is read */
  double rate;         /* requests per second; 0: as fast as replies come */
  int64_t count;       /* publish this many requests instead, regardless of the time */
  const char *paths;   /* file with one WebSocket path per line */
  const char *request; /* file with the request that publishers send */
  const char *publishon; /* path of a WebSocket to publish on; default: HTTP */
  const char *pids;    /* the server's processes, for CPU and memory */
  const char *beside;  /* processes whose CPU is reported separately, such as Redis */
  const char *hello, *ready, *secret, *churn;
} Options;

static Options options = {.channels = 1, .workers = 16, .inflight = 64, .seconds = 3, .idle = 0.3, .secret = "", .pids = "", .beside = ""};
static int epoll;

static bool read_option(const char *name, const char *value) {
  struct { const char *name; int *number; const char **text; double *real; } known[] = {
      {"port", 0, &options.port, 0}, {"listenport", 0, &options.listenport, 0}, {"beside", 0, &options.beside, 0},
      {"subscribers", &options.subscribers, 0, 0},
      {"publishers", &options.publishers, 0, 0}, {"channels", &options.channels, 0, 0},
      {"workers", &options.workers, 0, 0}, {"inflight", &options.inflight, 0, 0},
      {"seconds", 0, 0, &options.seconds}, {"warmup", 0, 0, &options.warmup}, {"idle", 0, 0, &options.idle},
      {"rate", 0, 0, &options.rate}, {"paths", 0, &options.paths, 0}, {"request", 0, &options.request, 0},
      {"publishon", 0, &options.publishon, 0},
      {"hello", 0, &options.hello, 0}, {"ready", 0, &options.ready, 0}, {"secret", 0, &options.secret, 0},
      {"pids", 0, &options.pids, 0}, {"churn", 0, &options.churn, 0},
  };
  if (!strcmp(name, "count")) return options.count = atoll(value), true;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(name, known[i].name)) continue;
    if (known[i].number) *known[i].number = atoi(value);
    if (known[i].text) *known[i].text = value;
    if (known[i].real) *known[i].real = atof(value);
    return true;
  }
  return false;
}

static char **read_lines(const char *path, int *count) {
  FILE *file = path ? fopen(path, "r") : NULL;
  char **lines = NULL, *line = NULL;
  size_t room = 0;
  if (!file) fail("cannot read %s", path ? path : "paths=");
  for (*count = 0; getline(&line, &room, file) > 0; line = NULL, room = 0) {
    line[strcspn(line, "\n")] = 0;
    lines = realloc(lines, (size_t)(*count + 1) * sizeof *lines);
    lines[(*count)++] = line;
  }
  fclose(file);
  return lines;
}

/* Handles pending events. Waits until the timeout, or until the next request is due. */
static void pump(int64_t patience_us) {
  struct epoll_event events[512];
  int64_t due = publishers_tick();
  int64_t wait_us = due >= 0 && due < patience_us ? due : patience_us;
  struct timespec wait = {wait_us / 1000000, wait_us % 1000000 * 1000};
  int count = epoll_pwait2(epoll, events, 512, &wait, NULL);
  for (int i = 0; i < count; i++) {
    int index = (int)(events[i].data.u64 & 0xffffffff);
    if (events[i].data.u64 >> 32) publisher_readable(index);
    else subscriber_readable(index);
  }
}

static void pump_for(double seconds) {
  int64_t end = now_us() + (int64_t)(seconds * 1e6);
  for (int64_t left; (left = end - now_us()) > 0;) pump(left < 20000 ? left : 20000);
}

static int64_t open_subscribers(void) {
  int64_t start = now_us(), stuck_at = start + 60 * 1000000LL;
  for (int opened = 0; received.ready < options.subscribers;) {
    while (opened < options.subscribers && opened - received.ready < options.inflight) subscriber_open(opened++);
    pump(5000);
    if (now_us() > stuck_at) fail("only %d of %d subscribers are ready", received.ready, options.subscribers);
  }
  return now_us() - start;
}

typedef struct {
  int64_t us, server_cpu, beside_cpu, own_cpu, delivered, bytes, messages, requests;
} Figures;

static Figures figures(void) {
  return (Figures){now_us(),           cpu_us_of(options.pids), cpu_us_of(options.beside), own_cpu_us(),
                   received.delivered, received.bytes,          published.messages,        published.requests};
}

static Figures between(Figures start, Figures end) {
  return (Figures){end.us - start.us,
                   end.server_cpu - start.server_cpu,
                   end.beside_cpu - start.beside_cpu,
                   end.own_cpu - start.own_cpu,
                   end.delivered - start.delivered,
                   end.bytes - start.bytes,
                   end.messages - start.messages,
                   end.requests - start.requests};
}

static Figures measure(void) {
  publishers_start();
  pump_for(options.warmup);
  memset(&received.latency, 0, sizeof received.latency);
  memset(&published.reply_latency, 0, sizeof published.reply_latency);
  Figures start = figures();
  if (options.count == 0) pump_for(options.seconds);
  else while (published.requests + published.errors < options.count) pump(5000);
  return between(start, figures());
}

/* Waits for messages in flight, until all have arrived, or none has arrived for a while. */
static void drain(void) {
  int64_t quiet_since = now_us(), seen = -1;
  publishers_stop();
  while (now_us() - quiet_since < 2000000) {
    pump(20000);
    if (publishers_idle() && received.delivered >= subscribers_expect(publishers_sent())) break;
    if (received.delivered == seen && publishers_idle()) continue;
    seen = received.delivered;
    quiet_since = now_us();
  }
  pump_for(0.2); /* for late duplicates */
}

static void print_real(const char *name, double value, int places) { printf(",\"%s\":%.*f", name, places, value); }
static void print_whole(const char *name, int64_t value) { printf(",\"%s\":%lld", name, (long long)value); }

static void print_latency(const Histogram *latency, const char *p50, const char *p99, const char *max) {
  print_real(p50, (double)histogram_at(latency, 0.5) / 1e3, 2);
  print_real(p99, (double)histogram_at(latency, 0.99) / 1e3, 2);
  print_real(max, (double)latency->max / 1e3, 2);
}

static double per(double amount, int64_t of) { return of > 0 ? amount / (double)of : 0; }

static void report_rates(Figures measured) {
  double seconds = (double)measured.us / 1e6;
  print_real("seconds", seconds, 3);
  print_real("requestsPerSecond", (double)measured.requests / seconds, 0);
  print_real("messagesPerSecond", (double)measured.messages / seconds, 0);
  print_real("deliveriesPerSecond", (double)measured.delivered / seconds, 0);
  print_real("serverCpuPercent", (double)measured.server_cpu / seconds / 1e4, 0);
  print_real("loadCpuPercent", (double)measured.own_cpu / seconds / 1e4, 0);
  print_real("cpuUsPerDelivery", per((double)measured.server_cpu, measured.delivered), 3);
  print_real("cpuUsPerRequest", per((double)measured.server_cpu, measured.requests), 2);
  print_real("besideCpuPercent", (double)measured.beside_cpu / seconds / 1e4, 0);
  print_real("besideCpuUsPerDelivery", per((double)measured.beside_cpu, measured.delivered), 3);
  print_real("besideCpuUsPerRequest", per((double)measured.beside_cpu, measured.requests), 2);
  print_real("frameBytes", per((double)measured.bytes, measured.delivered), 0);
}

static void report_check(int64_t expected) {
  print_whole("expected", expected);
  print_whole("delivered", received.delivered);
  print_whole("lost", received.lost);
  print_whole("doubled", received.doubled);
  print_whole("reordered", received.reordered);
  print_whole("strayed", received.strayed);
  print_whole("closed", received.closed);
  print_whole("errors", published.errors);
}

static void run(void) {
  SubscriberOptions subscribers = {.servers = servers_read(options.listenport ? options.listenport : options.port),
                                   .count = options.subscribers, .publishers = options.publishers,
                                   .channels = options.channels, .epoll = epoll, .hello = options.hello,
                                   .ready_after = options.ready};
  if (options.subscribers > 0) subscribers.paths = read_lines(options.paths, &subscribers.path_count);
  PublisherOptions publishers = {.servers = servers_read(options.port), .count = options.publishers, .channels = options.channels,
                                 .epoll = epoll, .request_path = options.request, .secret = options.secret,
                                 .socket_path = options.publishon,
                                 .rate = options.rate, .limit = options.count};
  int64_t rss_before = rss_kib_of(options.pids), cpu_before = cpu_us_of(options.pids);
  subscribers_prepare(&subscribers);
  int64_t open_us = open_subscribers(), open_cpu = cpu_us_of(options.pids) - cpu_before;
  pump_for(options.idle);
  int64_t rss_open = rss_kib_of(options.pids), expected = 0;
  publishers_prepare(&publishers);
  Figures measured = measure();
  Histogram latency = received.latency, reply_latency = published.reply_latency;
  if (options.publishers > 0) {
    drain();
    expected = subscribers_expect(publishers_sent());
    subscribers_settle(publishers_sent());
  }

  printf("{\"subscribers\":%d", options.subscribers);
  print_real("opensPerSecond", per((double)options.subscribers * 1e6, open_us), 0);
  print_real("cpuUsPerOpen", per((double)open_cpu, options.subscribers), 1);
  report_rates(measured);
  print_latency(&latency, "p50Ms", "p99Ms", "maxMs");
  print_latency(&reply_latency, "replyP50Ms", "replyP99Ms", "replyMaxMs");
  report_check(expected);
  print_whole("rssKibBefore", rss_before);
  print_whole("rssKibOpen", rss_open);
  print_whole("rssKibAfter", rss_kib_of(options.pids));
  printf("}\n");
}

int main(int count, char **arguments) {
  for (int i = 1; i < count; i++) {
    char *value = strchr(arguments[i], '=');
    if (value) *value++ = 0;
    if (!value || !read_option(arguments[i], value)) fail("unknown option %s", arguments[i]);
  }
  long files = raise_file_limit();
  signal(SIGPIPE, SIG_IGN);
  if (options.subscribers + options.publishers + 16 > files)
    fail("%d subscribers need more than the %ld open files allowed here (ulimit -Hn)", options.subscribers, files);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (options.churn) churn(&(ChurnOptions){servers_read(options.port).ports[0], options.workers, options.churn, options.secret, options.pids, options.seconds});
  else run();
  return 0;
}
