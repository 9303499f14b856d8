/* Workers that repeat the same steps, each in its own thread.
 *
 * The file has one step per line: "http FILE" sends that request and expects a 2xx, "open PATH" opens a WebSocket and
 * expects a 101, "text PAYLOAD" sends a text frame and waits for any frame, "close" closes the WebSocket and waits for
 * the close. "@number@…" in a request or path becomes the number of the round.
 */
#define _GNU_SOURCE
#include "load.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { MAX_STEPS = 16, PATIENCE_SECONDS = 10 };
typedef struct {
  char kind; /* h, o, t or c */
  char argument[512];
  Request request;
} Step;
typedef struct {
  int http, socket;
  Request requests[MAX_STEPS];
  Histogram latency;
  int64_t rounds;
} Worker;

static const ChurnOptions *options;
static Step steps[MAX_STEPS];
static int step_count;
static atomic_long next_number;
static atomic_bool stopping;

static void read_steps(const char *path) {
  FILE *file = fopen(path, "r");
  char line[600];
  if (!file) fail("cannot read %s", path);
  while (fgets(line, sizeof line, file) && step_count < MAX_STEPS) {
    Step *step = &steps[step_count++];
    line[strcspn(line, "\n")] = 0;
    char *space = strchr(line, ' ');
    step->kind = line[0];
    snprintf(step->argument, sizeof step->argument, "%s", space ? space + 1 : "");
    if (step->kind == 'h') request_read(&step->request, step->argument);
  }
  fclose(file);
}

static int patient_dial(int64_t number) {
  int fd = dial(options->port, source_of(number));
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){PATIENCE_SECONDS, 0}, sizeof(struct timeval));
  return fd;
}

static void exchange(int fd, Request *request, int64_t number) {
  char bytes[1 << 16];
  Reply reply;
  for (int i = 0; i < request->numbers; i++) put_digits(request->bytes + request->number_at[i], NUMBER_LENGTH, number);
  for (int i = 0; i < request->channels; i++) put_channel(request->bytes + request->channel_at[i], (int)(number % 100));
  for (int i = 0; i < request->signs; i++) {
    char text[SIGNED_LENGTH + 1];
    sign_now(options->secret, text);
    memcpy(request->bytes + request->sign_at[i], text, SIGNED_LENGTH);
  }
  reply_reset(&reply);
  write_all(fd, request->bytes, request->length);
  for (int outcome = 0; outcome == 0;) {
    ssize_t got = read(fd, bytes, sizeof bytes);
    outcome = got <= 0 ? -1 : reply_feed(&reply, bytes, (size_t)got);
    if (outcome < 0) fail("churn: no reply to: %.*s", 200, request->bytes);
  }
  if (reply.status < 200 || reply.status > 299) fail("churn: %s to: %.*s", reply.head, 200, request->bytes);
}

static int open_socket(const char *path, int64_t number) {
  char filled[512], request[1024], bytes[4096], *place;
  int fd = patient_dial(number);
  size_t have = 0;
  snprintf(filled, sizeof filled, "%s", path);
  if ((place = strstr(filled, "@number@"))) put_digits(place, NUMBER_LENGTH, number);
  write_all(fd, request, handshake_request(request, sizeof request, filled, options->port));
  while (!memmem(bytes, have, "\r\n\r\n", 4)) {
    ssize_t got = read(fd, bytes + have, sizeof bytes - have);
    if (got <= 0) fail("churn: no answer to a handshake");
    have += (size_t)got;
  }
  if (memcmp(bytes, "HTTP/1.1 101", 12)) fail("churn: handshake refused: %.*s", (int)have, bytes);
  return fd;
}

static void send_text(int fd, const char *text) {
  char frame[136], bytes[4096];
  write_all(fd, frame, masked_frame(frame, 1, text, strlen(text)));
  if (read(fd, bytes, sizeof bytes) <= 0) fail("churn: no answer to %s", text);
}

static void close_socket(int fd) {
  char frame[16], bytes[4096];
  ssize_t got;
  write_all(fd, frame, masked_frame(frame, 8, "\x03\xe8", 2));
  shutdown(fd, SHUT_WR);
  while ((got = read(fd, bytes, sizeof bytes)) > 0) continue;
  close(fd);
}

static void go_round(Worker *worker, int64_t number) {
  for (int i = 0; i < step_count; i++) {
    switch (steps[i].kind) {
      case 'h': exchange(worker->http, &worker->requests[i], number); break;
      case 'o': worker->socket = open_socket(steps[i].argument, number); break;
      case 't': send_text(worker->socket, steps[i].argument); break;
      case 'c': close_socket(worker->socket); break;
      default: fail("unknown step %c", steps[i].kind);
    }
  }
}

static void *work(void *argument) {
  Worker *worker = argument;
  worker->http = patient_dial(0);
  for (int i = 0; i < step_count; i++)
    if (steps[i].kind == 'h') request_copy(&worker->requests[i], &steps[i].request);
  while (!stopping) {
    int64_t started = now_us();
    go_round(worker, next_number++);
    histogram_add(&worker->latency, now_us() - started);
    worker->rounds++;
  }
  return NULL;
}

static int64_t total_rounds(const Worker *workers) {
  int64_t rounds = 0;
  for (int i = 0; i < options->workers; i++) rounds += workers[i].rounds;
  return rounds;
}

void churn(const ChurnOptions *given) {
  options = given;
  read_steps(options->steps_path);
  Worker *workers = calloc((size_t)options->workers, sizeof *workers);
  pthread_t *threads = calloc((size_t)options->workers, sizeof *threads);
  for (int i = 0; i < options->workers; i++) pthread_create(&threads[i], NULL, work, &workers[i]);
  usleep(500000); /* warm-up */
  int64_t rounds = total_rounds(workers), cpu = cpu_us_of(options->pids), own = own_cpu_us(), start = now_us();
  usleep((useconds_t)(options->seconds * 1e6));
  double us = (double)(now_us() - start);
  rounds = total_rounds(workers) - rounds;
  cpu = cpu_us_of(options->pids) - cpu;
  own = own_cpu_us() - own;
  stopping = true;
  for (int i = 0; i < options->workers; i++) pthread_join(threads[i], NULL);
  Histogram all = {0};
  for (int i = 0; i < options->workers; i++) {
    for (int bucket = 0; bucket < 64 * 32; bucket++) all.counts[bucket] += workers[i].latency.counts[bucket];
    all.total += workers[i].latency.total;
    if (workers[i].latency.max > all.max) all.max = workers[i].latency.max;
  }
  printf("{\"roundsPerSecond\":%.0f,\"serverCpuPercent\":%.0f,\"loadCpuPercent\":%.0f,\"cpuUsPerRound\":%.1f,"
         "\"p50Ms\":%.2f,\"p99Ms\":%.2f,\"maxMs\":%.2f,\"errors\":0}\n",
         (double)rounds * 1e6 / us, (double)cpu * 100 / us, (double)own * 100 / us,
         rounds ? (double)cpu / (double)rounds : 0, (double)histogram_at(&all, 0.5) / 1e3,
         (double)histogram_at(&all, 0.99) / 1e3, (double)all.max / 1e3);
}
