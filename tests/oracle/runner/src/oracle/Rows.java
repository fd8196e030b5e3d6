package oracle;

import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.source.legacy.RichSourceFunction;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.ProviderContext;
import org.apache.flink.table.connector.format.DecodingFormat;
import org.apache.flink.table.connector.sink.DynamicTableSink;
import org.apache.flink.table.connector.sink.SinkV2Provider;
import org.apache.flink.table.connector.source.DataStreamScanProvider;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.connector.source.ScanTableSource;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.*;
import org.apache.flink.table.types.DataType;

import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.ConcurrentHashMap;

/**
 * connector = 'oracle-rows': the rows and the answers of Expressions, in memory. A source and the sink of its answers have the
 * same 'slot' and are one chain, so that a row that cannot be evaluated throws back into the source, which notes the
 * exception and goes on with the next row.
 */
public class Rows implements DynamicTableSourceFactory, DynamicTableSinkFactory {
    /** The lines that every source reads. */
    static final List<String> lines = new ArrayList<>();
    /** By slot: what each row gave, a String, null or a Throwable. */
    static final Map<Integer, Object[]> answers = new ConcurrentHashMap<>();

    /** The slots that have all their answers. */
    static final Set<Integer> ended = ConcurrentHashMap.newKeySet();

    static final ConfigOption<Integer> SLOT = ConfigOptions.key("slot").intType().defaultValue(0);

    @Override public String factoryIdentifier() { return "oracle-rows"; }
    @Override public Set<ConfigOption<?>> requiredOptions() { return Set.of(); }
    @Override public Set<ConfigOption<?>> optionalOptions() { return Set.of(SLOT, FactoryUtil.FORMAT); }

    @Override public DynamicTableSource createDynamicTableSource(Context c) {
        FactoryUtil.TableFactoryHelper h = FactoryUtil.createTableFactoryHelper(this, c);
        DecodingFormat<DeserializationSchema<RowData>> f = h.discoverDecodingFormat(DeserializationFormatFactory.class, FactoryUtil.FORMAT);
        h.validate();
        return new Source(f, c.getPhysicalRowDataType(), h.getOptions().get(SLOT));
    }

    @Override public DynamicTableSink createDynamicTableSink(Context c) {
        return new Answers(FactoryUtil.createTableFactoryHelper(this, c).getOptions().get(SLOT));
    }

    static class Source implements ScanTableSource {
        final DecodingFormat<DeserializationSchema<RowData>> format; final DataType type; final int slot;
        Source(DecodingFormat<DeserializationSchema<RowData>> format, DataType type, int slot) { this.format = format; this.type = type; this.slot = slot; }
        @Override public ChangelogMode getChangelogMode() { return ChangelogMode.insertOnly(); }
        @Override public ScanRuntimeProvider getScanRuntimeProvider(ScanContext c) {
            DeserializationSchema<RowData> decoder = format.createRuntimeDecoder(c, type); TypeInformation<RowData> ti = c.createTypeInformation(type);
            return new DataStreamScanProvider() {
                @Override public DataStream<RowData> produceDataStream(ProviderContext pc, StreamExecutionEnvironment env) {
                    return env.addSource(new Reader(decoder, slot), "rows", ti).setParallelism(1);
                }
                @Override public boolean isBounded() { return true; }
            };
        }
        @Override public DynamicTableSource copy() { return new Source(format, type, slot); }
        @Override public String asSummaryString() { return "rows"; }
    }

    static class Reader extends RichSourceFunction<RowData> {
        final DeserializationSchema<RowData> decoder; final int slot;
        Reader(DeserializationSchema<RowData> decoder, int slot) { this.decoder = decoder; this.slot = slot; }
        @Override public void run(SourceContext<RowData> out) throws Exception {
            decoder.open(null);
            Object[] into = answers.get(slot);
            for (int i = 0; i < lines.size(); i++) {
                RowData row = decoder.deserialize(lines.get(i).getBytes(StandardCharsets.UTF_8));
                try { out.collect(row); } catch (Throwable e) { into[i] = e; }
            }
            ended.add(slot);
        }
        @Override public void cancel() { }
    }

    static class Answers implements DynamicTableSink {
        final int slot;
        Answers(int slot) { this.slot = slot; }
        @Override public ChangelogMode getChangelogMode(ChangelogMode requested) { return ChangelogMode.insertOnly(); }
        @Override public SinkRuntimeProvider getSinkRuntimeProvider(Context c) { return SinkV2Provider.of(new Into(slot)); }
        @Override public DynamicTableSink copy() { return new Answers(slot); }
        @Override public String asSummaryString() { return "answers"; }
    }

    static class Into implements Sink<RowData> {
        final int slot;
        Into(int slot) { this.slot = slot; }
        @Override public SinkWriter<RowData> createWriter(WriterInitContext c) {
            return new SinkWriter<RowData>() {
                @Override public void write(RowData row, Context c) { answers.get(slot)[row.getInt(0)] = row.isNullAt(1) ? null : row.getString(1).toString(); }
                @Override public void flush(boolean end) { }
                @Override public void close() { }
            };
        }
    }
}
