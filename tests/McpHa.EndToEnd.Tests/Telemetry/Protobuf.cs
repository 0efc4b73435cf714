using System.Buffers.Binary;
using System.Text;

namespace McpHa.Tests.Telemetry;

/// <summary>A protobuf message, as far as OTLP needs it: fields by number, each as it is on the wire.</summary>
internal sealed class Protobuf
{
    private readonly List<(int Field, ulong Number, ReadOnlyMemory<byte> Bytes)> _fields = [];

    public Protobuf(ReadOnlyMemory<byte> bytes)
    {
        for (var at = 0; at < bytes.Length;)
        {
            var tag = Varint(bytes.Span, ref at);
            var (field, length, number) = ((int)(tag >> 3), 0, 0UL);
            switch (tag & 7)
            {
                case 0:
                    number = Varint(bytes.Span, ref at);
                    break;
                case 1:
                    number = BinaryPrimitives.ReadUInt64LittleEndian(bytes.Span[at..]);
                    at += 8;
                    break;
                case 2:
                    length = (int)Varint(bytes.Span, ref at);
                    break;
                case 5:
                    number = BinaryPrimitives.ReadUInt32LittleEndian(bytes.Span[at..]);
                    at += 4;
                    break;
                default:
                    throw new InvalidDataException($"Wire type {tag & 7}.");
            }

            _fields.Add((field, number, bytes.Slice(at, length)));
            at += length;
        }
    }

    /// <summary>All messages of a repeated field.</summary>
    public IEnumerable<Protobuf> Messages(int field) => _fields.Where(f => f.Field == field).Select(f => new Protobuf(f.Bytes));

    public Protobuf Message(int field) => Messages(field).FirstOrDefault() ?? new Protobuf(default);

    public string Text(int field) => Encoding.UTF8.GetString(_fields.LastOrDefault(f => f.Field == field).Bytes.Span);

    public string Hex(int field) => Convert.ToHexStringLower(_fields.LastOrDefault(f => f.Field == field).Bytes.Span);

    public ulong Number(int field) => _fields.LastOrDefault(f => f.Field == field).Number;

    /// <summary>OTLP's key-value lists.</summary>
    public IReadOnlyDictionary<string, string> Attributes(int field) => Messages(field)
        .Select(pair => (Key: pair.Text(1), Value: pair.Message(2)))
        .GroupBy(pair => pair.Key)
        .ToDictionary(group => group.Key, group => group.Last().Value is var value && value._fields.Any(f => f.Field == 3) ? $"{(long)value.Number(3)}" : group.Last().Value.Text(1));

    private static ulong Varint(ReadOnlySpan<byte> bytes, ref int at)
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var part = bytes[at++];
            value |= (ulong)(part & 0x7f) << shift;
            if (part < 0x80)
                return value;
        }
    }
}
