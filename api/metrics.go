package api

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

// requestMetrics counts requests by the route's template: never by tenant or account, whose number has no bound.
type requestMetrics struct {
	seconds *prometheus.HistogramVec
}

func newRequestMetrics(registry prometheus.Registerer) (*requestMetrics, error) {
	m := &requestMetrics{seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "steward_http_request_seconds", Help: "Time to answer, by method, route and status.", Buckets: prometheus.DefBuckets,
	}, []string{"method", "route", "status"})}
	if err := registry.Register(m.seconds); err != nil {
		return nil, fmt.Errorf("api: metrics: %w", err)
	}
	return m, nil
}

func (m *requestMetrics) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		err := next(c)
		status := c.Response().Status // the logger, which runs inside, has had errors answered already
		route := c.Path()
		if route == "" {
			route = "none"
		}
		m.seconds.WithLabelValues(methodLabel(c.Request().Method), route, strconv.Itoa(status)).Observe(time.Since(start).Seconds())
		return err
	}
}

// methodLabel bounds the label: anybody may send a method of their own invention.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	}
	return "other"
}
