package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/caarlos0/env/v11"

	"github.com/wechat-steward/steward/secret"
)

// Config is Steward's environment. Each variable that holds a secret may be given as NAME_FILE instead: the path of a file that holds it.
type Config struct {
	// DatabaseURL is a PostgreSQL connection string.
	DatabaseURL secret.String `env:"DATABASE_URL"`
	// Addr is where we listen.
	Addr string `env:"STEWARD_ADDR" envDefault:":8080"`
	// PublicURL is where browsers and WeChat reach us. Default: http://localhost and Addr's port.
	PublicURL string `env:"STEWARD_PUBLIC_URL"`
	// MasterKey seals secrets in the database: base64 of 32 random bytes.
	MasterKey secret.String `env:"STEWARD_MASTER_KEY"`
	// PreviousMasterKeys were the master key before; they open, and seal nothing. Separated by commas.
	PreviousMasterKeys secret.String `env:"STEWARD_PREVIOUS_MASTER_KEY"`

	WeChatAPIURL  string `env:"STEWARD_WECHAT_API_URL" envDefault:"https://api.weixin.qq.com"`
	WeChatMPURL   string `env:"STEWARD_WECHAT_MP_URL" envDefault:"https://mp.weixin.qq.com"`
	WeChatOpenURL string `env:"STEWARD_WECHAT_OPEN_URL" envDefault:"https://open.weixin.qq.com"`

	// The first component; all four or none. More are registered through the API.
	ComponentAppID     string        `env:"STEWARD_COMPONENT_APPID"`
	ComponentAppSecret secret.String `env:"STEWARD_COMPONENT_APPSECRET"`
	ComponentToken     secret.String `env:"STEWARD_COMPONENT_TOKEN"`
	ComponentAESKey    secret.String `env:"STEWARD_COMPONENT_AES_KEY"`

	// Renewals is how many access tokens this process renews at a time in the background.
	Renewals int `env:"STEWARD_RENEWALS" envDefault:"32"`

	// TrustedProxies are the networks of reverse proxies whose X-Forwarded-For we believe.
	TrustedProxies []netip.Prefix `env:"STEWARD_TRUSTED_PROXIES"`
	// LogFormat is json or text.
	LogFormat string `env:"STEWARD_LOG_FORMAT" envDefault:"json"`
	// LogLevel is debug, info, warn or error.
	LogLevel slog.Level `env:"STEWARD_LOG_LEVEL" envDefault:"info"`
}

// secretVariables may be given as files.
func secretVariables() []string {
	return []string{
		"DATABASE_URL", "STEWARD_MASTER_KEY", "STEWARD_PREVIOUS_MASTER_KEY",
		"STEWARD_COMPONENT_APPSECRET", "STEWARD_COMPONENT_TOKEN", "STEWARD_COMPONENT_AES_KEY",
	}
}

// readConfig reads the environment; it checks each variable by itself, not whether a command has all that it needs.
func readConfig(environ []string) (Config, error) {
	variables := env.ToMap(environ)
	for _, name := range secretVariables() {
		path := variables[name+"_FILE"]
		if path == "" {
			continue
		}
		if variables[name] != "" {
			return Config{}, fmt.Errorf("%s and %s_FILE are both set: give one of them", name, name)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return Config{}, fmt.Errorf("%s_FILE: %w", name, err)
		}
		variables[name] = strings.TrimSpace(string(content))
	}
	for name, value := range variables {
		// A variable that is set but empty means the default, as in a compose file's ${NAME:-}.
		if value == "" {
			delete(variables, name)
		}
	}
	cfg, err := env.ParseAsWithOptions[Config](env.Options{Environment: variables})
	if err != nil {
		return Config{}, err
	}
	if cfg.PublicURL == "" {
		cfg.PublicURL = "http://localhost:" + portOf(cfg.Addr)
	}
	return cfg, cfg.validate()
}

func portOf(addr string) string {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "8080"
	}
	return port
}

func (c Config) validate() error {
	var problems []error
	for name, value := range map[string]string{
		"STEWARD_PUBLIC_URL": c.PublicURL, "STEWARD_WECHAT_API_URL": c.WeChatAPIURL,
		"STEWARD_WECHAT_MP_URL": c.WeChatMPURL, "STEWARD_WECHAT_OPEN_URL": c.WeChatOpenURL,
	} {
		if u, err := url.Parse(value); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			problems = append(problems, fmt.Errorf("%s is not an http or https URL", name))
		}
	}
	if c.Renewals < 1 || c.Renewals > 1000 {
		problems = append(problems, errors.New("STEWARD_RENEWALS is a number from 1 to 1000"))
	}
	if c.LogFormat != "json" && c.LogFormat != "text" {
		problems = append(problems, errors.New("STEWARD_LOG_FORMAT is json or text"))
	}
	if c.hasComponent() != (c.ComponentAppID != "" || !c.ComponentAppSecret.IsEmpty() || !c.ComponentToken.IsEmpty() || !c.ComponentAESKey.IsEmpty()) {
		problems = append(problems, errors.New("of STEWARD_COMPONENT_APPID, _APPSECRET, _TOKEN and _AES_KEY some are set and some are not: set all four, or none"))
	}
	if !c.ComponentAESKey.IsEmpty() && len(c.ComponentAESKey.Reveal()) != 43 {
		problems = append(problems, errors.New("STEWARD_COMPONENT_AES_KEY has 43 characters at WeChat (消息加解密Key); this one has not"))
	}
	if !c.MasterKey.IsEmpty() {
		if _, err := c.masterKey(); err != nil {
			problems = append(problems, err)
		}
	}
	if _, err := c.previousMasterKeys(); err != nil {
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

func (c Config) hasComponent() bool {
	return c.ComponentAppID != "" && !c.ComponentAppSecret.IsEmpty() && !c.ComponentToken.IsEmpty() && !c.ComponentAESKey.IsEmpty()
}

// requireDatabase is for the commands that need nothing else.
func (c Config) requireDatabase() error {
	if c.DatabaseURL.IsEmpty() {
		return errors.New("DATABASE_URL is not set: give it a PostgreSQL connection string, like postgres://steward:password@localhost:5432/steward")
	}
	return nil
}

// requireServing is for the commands that open sealed columns.
func (c Config) requireServing() error {
	err := c.requireDatabase()
	if c.MasterKey.IsEmpty() {
		err = errors.Join(err, errors.New("STEWARD_MASTER_KEY is not set: make one with `openssl rand -base64 32`, and keep a copy: without it no stored token can be read"))
	}
	return err
}

func (c Config) masterKey() ([]byte, error) {
	key, ok := decodeKey(c.MasterKey.Reveal())
	if !ok {
		return nil, errors.New("STEWARD_MASTER_KEY is not base64 of 32 bytes: make one with `openssl rand -base64 32`")
	}
	return key, nil
}

func (c Config) previousMasterKeys() ([][]byte, error) {
	var keys [][]byte
	seen := map[string]bool{}
	if current, ok := decodeKey(c.MasterKey.Reveal()); ok {
		seen[string(current)] = true
	}
	for text := range strings.SplitSeq(c.PreviousMasterKeys.Reveal(), ",") {
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		key, ok := decodeKey(text)
		if !ok {
			return nil, errors.New("STEWARD_PREVIOUS_MASTER_KEY holds something that is not base64 of 32 bytes: it takes former master keys, separated by commas")
		}
		if seen[string(key)] {
			return nil, errors.New("STEWARD_PREVIOUS_MASTER_KEY holds a key twice, or the one of STEWARD_MASTER_KEY: it takes former master keys")
		}
		seen[string(key)] = true
		keys = append(keys, key)
	}
	return keys, nil
}

func decodeKey(text string) ([]byte, bool) {
	key, err := base64.StdEncoding.DecodeString(text)
	return key, err == nil && len(key) == secret.KeySize
}
