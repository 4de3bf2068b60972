"""The configuration that ``init`` writes: what is commented out shows the default, or an example."""

TEMPLATE = """\
# The gateway's configuration. `signal-gateway check` says what is wrong with it, line by line.
# A variable wins over a line: SIGNAL_GATEWAY_HTTP__PUBLIC__PORT=9000 is http.public.port.
# Durations are 60s, 15m, 12h, 30d; sizes are 64KB, 256MB, 1GB; paths are relative to this file.

# How TradingView reaches the public listener: its ports must be 80 or 443. See docs/expose.md.
#public_url: https://signals.example.com

http:
  public:                    # webhooks
    host: 127.0.0.1
    port: 8080
  private:                   # API, metrics, health
    host: 127.0.0.1
    port: 8081
    #hosts: [gateway.lan]     # Host names that are answered besides this address
  #trusted_proxies: [127.0.0.1]          # whose X-Forwarded-For is believed
  #allow_from: [52.89.214.238, 34.212.75.30, 54.218.53.128, 52.32.178.7]   # empty: everyone
  #max_body: 256KiB

journal:
  #path: journal/journal.db
  max_size: 1GiB
  max_age: 30d
  #share: 50%                 # of max_size, for one source's unfinished signals

broker:
  kind: embedded             # or external: Mosquitto, EMQX, ...
  host: 127.0.0.1
  port: 1883
  #username: gateway
  #password_file: secrets/gateway-broker.password
  #version: 3.1.1             # an external broker: 5, unless it speaks only 3.1.1
  #window: 16                 # publishes in flight
  #max_connections: 128       # of the embedded broker
  #tls:
    #enabled: false           # of an external broker, with ca, cert and key as files

#topics:
  #root: signals
  #namespace: hbot

# Each source has a webhook of its own: /hooks/NAME/TOKEN. `signal-gateway keys rotate NAME` makes the token.
sources:
  tradingview:
    mode: live               # or paper, test
    #max_age: 60s             # an older signal that opens a position is refused
    #ttl: {open: 60s, reduce: 15m, alert: 5m}
    #duplicates: drop         # or flag
    #limit: 60                # requests per minute
    #expect_every: 1d         # longer without a signal, and somebody is told
    #instrument: {venue: BINANCE, base: BTC, quote: USDT, kind: spot}       # whatever the alert says
    #symbols:
      #"BYBIT:BTCUSDT.P": {venue: BYBIT, base: BTC, quote: USDT, settle: USDT, kind: perpetual}
    #secret_in: {query: false, body: passphrase}
    #secret_keys: [my_pin]    # body keys that are never stored, besides the well-known ones
    #bots: [my_bot]           # which must receipt each signal; unless given, those whose subscriptions match
    #hummingbot: {bots: [my_bot], event: signal}

  # A source of predictions is posted to at /v1/predictions/NAME. See docs/predictions.md.
  #btc-models:
    #type: prediction
    #models: [btc-lstm]        # whose predictions are taken
    #interval: 5m              # a prediction that does not say until when it is true is so for twice that
    #classes: [short, neutral, long]        # what the entries of a list of probabilities are

# Where `signal-gateway bots` writes for an external Mosquitto.
#mosquitto:
  #password_file: /etc/mosquitto/passwd
  #acl_file: /etc/mosquitto/acl

# Where `signal-gateway bots` puts the logins for an external EMQX. See docs/brokers.md.
#emqx:
  #url: http://127.0.0.1:18083
  #key_file: secrets/emqx.key
  #ca: secrets/emqx-ca.crt

# What signs the commands to a bot that runs signed ones only. See docs/access.md.
#commands:
  #bots:
    #my_bot: {key_file: secrets/my_bot.command.key}

# Who is told when something goes wrong. See docs/notifications.md; try it with `signal-gateway notify test`.
#notify:
  #targets:
    #- ntfy://a-topic-that-nobody-guesses
    #- {url: jsons://hooks.example.com/path, kinds: [reduce_expired, bot_dead], sources: [tradingview], bots: [my_bot]}
  #group_for: 10s
  #repeat_every: 1h
  #limit: 20                  # notifications in an hour, to each target
  #broker_away_after: 60s

#log:
  #format: auto               # or console, json; auto is console on a terminal
  #level: info
"""
