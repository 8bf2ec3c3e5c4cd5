package localpg_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// storeXZ wraps content in the .xz format without compressing it: the standard library has no xz, and the tests shall
// not depend on a program. Format: "The .xz File Format", version 1.2.
func storeXZ(content []byte) []byte {
	var out bytes.Buffer
	flags := []byte{0, 1} // each block is followed by its CRC32
	out.WriteString("\xfd7zXZ\x00")
	out.Write(flags)
	out.Write(crc(flags))

	blockStart := out.Len()
	header := []byte{2, 0, 0x21, 1, 0x16, 0, 0, 0} // 12 bytes with its CRC32; one filter: LZMA2
	out.Write(header)
	out.Write(crc(header))
	control := byte(1) // a stored chunk that resets the dictionary; later ones do not
	for rest := content; len(rest) > 0; control = 2 {
		const most = 1 << 16
		chunk := rest[:min(len(rest), most)]
		rest = rest[len(chunk):]
		out.WriteByte(control)
		out.Write(binary.BigEndian.AppendUint16(nil, uint16(len(chunk)-1)))
		out.Write(chunk)
	}
	out.WriteByte(0)
	unpadded := out.Len() - blockStart + crc32.Size
	pad(&out, blockStart)
	out.Write(crc(content))

	indexStart := out.Len()
	index := []byte{0, 1}
	index = binary.AppendUvarint(index, uint64(unpadded))
	index = binary.AppendUvarint(index, uint64(len(content)))
	out.Write(index)
	pad(&out, indexStart)
	out.Write(crc(out.Bytes()[indexStart:]))

	indexLength := out.Len() - indexStart
	footer := binary.LittleEndian.AppendUint32(nil, uint32(indexLength/4-1))
	footer = append(footer, flags...)
	out.Write(crc(footer))
	out.Write(footer)
	out.WriteString("YZ")
	return out.Bytes()
}

func pad(out *bytes.Buffer, start int) {
	for (out.Len()-start)%4 != 0 {
		out.WriteByte(0)
	}
}

func crc(content []byte) []byte {
	return binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(content))
}
