package wechat

import "io"

// SetRandom makes c read its random bytes from r, so that tests can prove vectors byte for byte.
func (c *Cipher) SetRandom(r io.Reader) { c.random = r }
