// Binds the rules of axis_assertions.sv to every stream of the four RTL blocks. Add both files to a simulation of a block, with
// HARMONIA_BIND_CONVERTER, _SMOOTHER, _DECODER or _PE defined: a bind needs the module that it names.
//
// With HARMONIA_BIND_PROOFS the specification that Yosys proves the decoder's unpacking against (tests/rtl/formal) is checked on the
// codes at hand too, and with it what the proof assumes.
`ifdef HARMONIA_BIND_CONVERTER
bind bfp_converter axis_assertions #(.DATA(16 * G), .USER($bits(s_axis_tuser))) check_s_axis (
    .clk, .rst_n, .tvalid(s_axis_tvalid), .tready(s_axis_tready), .tdata(s_axis_tdata), .tkeep(1'b1), .tuser(s_axis_tuser), .tlast(s_axis_tlast));
bind bfp_converter axis_assertions #(.DATA($bits(m_axis_tdata)), .KEEP($bits(m_axis_tkeep))) check_m_axis (
    .clk, .rst_n, .tvalid(m_axis_tvalid), .tready(m_axis_tready), .tdata(m_axis_tdata), .tkeep(m_axis_tkeep), .tuser(1'b0), .tlast(m_axis_tlast));
bind bfp_converter axis_packet_order check_order (
    .clk, .rst_n, .in_taken(s_axis_tvalid && s_axis_tready), .in_last(s_axis_tlast),
    .out_taken(m_axis_tvalid && m_axis_tready), .out_last(m_axis_tlast));
`endif
`ifdef HARMONIA_BIND_SMOOTHER
bind outlier_smoother axis_assertions #(.DATA(41)) check_s_axis_table (
    .clk, .rst_n, .tvalid(s_axis_table_tvalid), .tready(s_axis_table_tready), .tdata(s_axis_table_tdata), .tkeep(1'b1), .tuser(1'b0), .tlast(1'b1));
bind outlier_smoother axis_assertions #(.DATA(16 * LANES), .USER(16)) check_s_axis (
    .clk, .rst_n, .tvalid(s_axis_tvalid), .tready(s_axis_tready), .tdata(s_axis_tdata), .tkeep(1'b1), .tuser(s_axis_tuser), .tlast(s_axis_tlast));
bind outlier_smoother axis_assertions #(.DATA(16 * LANES)) check_m_axis (
    .clk, .rst_n, .tvalid(m_axis_tvalid), .tready(m_axis_tready), .tdata(m_axis_tdata), .tkeep(1'b1), .tuser(1'b0), .tlast(m_axis_tlast));
bind outlier_smoother axis_packet_order check_order (
    .clk, .rst_n, .in_taken(s_axis_tvalid && s_axis_tready), .in_last(s_axis_tlast),
    .out_taken(m_axis_tvalid && m_axis_tready), .out_last(m_axis_tlast));
`endif
`ifdef HARMONIA_BIND_DECODER
bind lut_decoder axis_assertions #(.DATA(8), .USER(3)) check_s_axis_codebook (
    .clk, .rst_n, .tvalid(s_axis_codebook_tvalid), .tready(s_axis_codebook_tready), .tdata(s_axis_codebook_tdata), .tkeep(1'b1),
    .tuser(s_axis_codebook_tuser), .tlast(s_axis_codebook_tlast));
bind lut_decoder axis_assertions #(.DATA(4 * LANES), .KEEP(LANES / 2), .KEEP_WHOLE(1'b1)) check_s_axis_index (
    .clk, .rst_n, .tvalid(s_axis_index_tvalid), .tready(s_axis_index_tready), .tdata(s_axis_index_tdata), .tkeep(s_axis_index_tkeep),
    .tuser(1'b0), .tlast(s_axis_index_tlast));
bind lut_decoder axis_assertions #(.DATA(16), .USER(4)) check_s_axis_scale (
    .clk, .rst_n, .tvalid(s_axis_scale_tvalid), .tready(s_axis_scale_tready), .tdata(s_axis_scale_tdata), .tkeep(1'b1),
    .tuser(s_axis_scale_tuser), .tlast(1'b1));
bind lut_decoder axis_assertions #(.DATA(8 * LANES), .KEEP(LANES), .USER(16), .KEEP_WHOLE(1'b1)) check_m_axis (
    .clk, .rst_n, .tvalid(m_axis_tvalid), .tready(m_axis_tready), .tdata(m_axis_tdata), .tkeep(m_axis_tkeep), .tuser(m_axis_tuser),
    .tlast(m_axis_tlast));
bind lut_decoder axis_packet_end check_rows (
    .clk, .rst_n, .in_ends(s_axis_index_tvalid && s_axis_index_tready && s_axis_index_tlast),
    .out_ends(m_axis_tvalid && m_axis_tready && m_axis_tlast));
`ifdef HARMONIA_BIND_PROOFS
bind lut_decoder lut_unpack_equal #(.LANES(LANES)) check_unpack (
    .bits_log2(rst_n && valid1 ? bits_log2 : 2'd0), .low_first(rst_n && valid1 && int4), .bytes(rst_n && valid1 ? beat1 : '0));
`endif
`endif
`ifdef HARMONIA_BIND_PE
bind pe axis_assertions #(.DATA($bits(s_axis_a_tdata))) check_s_axis_a (
    .clk, .rst_n, .tvalid(s_axis_a_tvalid), .tready(s_axis_a_tready), .tdata(s_axis_a_tdata), .tkeep(1'b1), .tuser(1'b0), .tlast(s_axis_a_tlast));
bind pe axis_assertions #(.DATA($bits(s_axis_w_tdata)), .USER(19)) check_s_axis_w (
    .clk, .rst_n, .tvalid(s_axis_w_tvalid), .tready(s_axis_w_tready), .tdata(s_axis_w_tdata), .tkeep(1'b1), .tuser(s_axis_w_tuser), .tlast(1'b1));
bind pe axis_assertions #(.DATA(48)) check_m_axis (
    .clk, .rst_n, .tvalid(m_axis_tvalid), .tready(m_axis_tready), .tdata(m_axis_tdata), .tkeep(1'b1), .tuser(1'b0), .tlast(m_axis_tlast));
bind pe axis_packet_order check_order (
    .clk, .rst_n, .in_taken(s_axis_a_tvalid && s_axis_a_tready), .in_last(s_axis_a_tlast),
    .out_taken(m_axis_tvalid && m_axis_tready), .out_last(m_axis_tlast));
`endif
