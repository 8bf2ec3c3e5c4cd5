package main

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/wechat"
)

// observeCalls counts and times the calls to WeChat by path and errcode.
func observeCalls(registry prometheus.Registerer) func(wechat.Call) {
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "steward_wechat_call_seconds", Help: "Time of calls to WeChat, by path and errcode.", Buckets: prometheus.DefBuckets,
	}, []string{"path", "errcode"})
	registry.MustRegister(seconds)
	return func(call wechat.Call) {
		seconds.WithLabelValues(call.Path, strconv.Itoa(call.Code)).Observe(call.Duration.Seconds())
	}
}

// standing is how everything stands, read from the database at each scrape: every process says the same.
type standing struct {
	components  *component.Service
	authorizers *authorizer.Service
	alerts      *alert.Service
	logger      *slog.Logger

	ticketAge, tokenExpiry, accounts, failing, due, open *prometheus.Desc
}

// scrapeTimeout keeps a database that hangs from keeping the scraper, which has Go's own figures to take home.
const scrapeTimeout = 3 * time.Second

func newStanding(components *component.Service, authorizers *authorizer.Service, alerts *alert.Service, logger *slog.Logger) *standing {
	describe := func(o prometheus.Opts, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(o.Name, o.Help, labels, nil)
	}
	return &standing{
		components: components, authorizers: authorizers, alerts: alerts, logger: logger,
		ticketAge: describe(prometheus.Opts{
			Name: "steward_component_ticket_age_seconds", Help: "Age of the newest verify ticket, or time since the registration while there is none.",
		}, "component"),
		tokenExpiry: describe(prometheus.Opts{
			Name: "steward_component_token_expires_in_seconds", Help: "How long the component access token still lives; not above 0: there is none.",
		}, "component"),
		accounts: describe(prometheus.Opts{Name: "steward_accounts", Help: "Accounts by state."}, "state"),
		failing:  describe(prometheus.Opts{Name: "steward_accounts_failing", Help: "Accounts whose token cannot be renewed, by health."}, "health"),
		due:      describe(prometheus.Opts{Name: "steward_tokens_due", Help: "Access tokens of accounts that are due to be renewed."}),
		open:     describe(prometheus.Opts{Name: "steward_alerts_open", Help: "Open alerts by kind."}, "kind"),
	}
}

// Describe implements prometheus.Collector.
func (s *standing) Describe(descs chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{s.ticketAge, s.tokenExpiry, s.accounts, s.failing, s.due, s.open} {
		descs <- desc
	}
}

// Collect implements prometheus.Collector. What cannot be read is left out: the rest is wanted then more than ever.
func (s *standing) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	for name, collect := range map[string]func(context.Context, chan<- prometheus.Metric) error{
		"components": s.collectComponents, "accounts": s.collectAccounts, "alerts": s.collectAlerts,
	} {
		if err := collect(ctx, metrics); err != nil {
			s.logger.WarnContext(ctx, "cannot read metrics", "about", name, "error", err)
		}
	}
}

func (s *standing) collectComponents(ctx context.Context, metrics chan<- prometheus.Metric) error {
	stats, err := s.components.Stats(ctx)
	for _, c := range stats {
		metrics <- gauge(s.ticketAge, c.TicketAge.Seconds(), c.AppID)
		metrics <- gauge(s.tokenExpiry, c.TokenExpiresIn.Seconds(), c.AppID)
	}
	return err
}

func (s *standing) collectAccounts(ctx context.Context, metrics chan<- prometheus.Metric) error {
	stats, err := s.authorizers.Stats(ctx)
	if err != nil {
		return err
	}
	for state, n := range stats.States {
		metrics <- gauge(s.accounts, float64(n), string(state))
	}
	for health, n := range stats.Failing {
		metrics <- gauge(s.failing, float64(n), string(health))
	}
	metrics <- gauge(s.due, float64(stats.Due))
	return nil
}

func (s *standing) collectAlerts(ctx context.Context, metrics chan<- prometheus.Metric) error {
	open, err := s.alerts.Stats(ctx)
	for kind, n := range open {
		metrics <- gauge(s.open, float64(n), string(kind))
	}
	return err
}

func gauge(desc *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}
