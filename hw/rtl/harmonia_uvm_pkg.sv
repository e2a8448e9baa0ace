// A thin UVM layer over harmonia_verification_pkg: components of the same names, so that its drivers, monitors, predictors and
// scoreboard work in a UVM environment. The objects behind them and the modules on the pins (harmonia_stream_pins.sv) stay the same.
//
// Models: a sequence item that holds a beat; a driver that takes such items from a sequencer; a monitor with an analysis port; a
// predictor and a scoreboard with analysis exports; an agent of sequencer, driver and monitor; an environment's end of test. Does not
// model: register layers, factories of the objects behind, phases of one's own.
//
// The top module gives each component its object's place on the pins: in_pins.driver = env.agent.driver.core, and so on, at time 0
// after build_phase, as it does without UVM. IEEE 1800.2, no macros beyond uvm_*_utils.
`include "uvm_macros.svh"

package harmonia_uvm_pkg;
  import uvm_pkg::*;
  import harmonia_verification_pkg::harmonia_subscriber;
  import harmonia_verification_pkg::harmonia_item;

  class harmonia_beat extends uvm_sequence_item;
    harmonia_item item;
    `uvm_object_utils(harmonia_beat)
    function new(string name = "harmonia_beat");
      super.new(name);
    endfunction
    virtual function string convert2string();
      return item.text();
    endfunction
  endclass

  // Offers the items of a sequencer; an item is done when it is on the pins, so that a sequence can run ahead of back-pressure by one.
  class harmonia_driver extends uvm_driver #(harmonia_beat);
    harmonia_verification_pkg::harmonia_driver core;
    `uvm_component_utils(harmonia_driver)
    function new(string name, uvm_component parent);
      super.new(name, parent);
      core = new;
    endfunction
    virtual task run_phase(uvm_phase phase);
      harmonia_beat beat;
      forever begin
        seq_item_port.get_next_item(beat);
        core.send(beat.item);
        wait (core.waiting.size() == 0);
        seq_item_port.item_done();
      end
    endtask
  endclass

  // From the core's subscriber to an analysis port.
  class harmonia_bridge extends harmonia_subscriber;
    uvm_analysis_port #(harmonia_beat) port;
    virtual function void write(harmonia_item item);
      harmonia_beat beat = new("beat");
      beat.item = item;
      port.write(beat);
    endfunction
  endclass

  class harmonia_monitor extends uvm_monitor;
    harmonia_verification_pkg::harmonia_monitor core;
    uvm_analysis_port #(harmonia_beat) port;
    harmonia_bridge bridge;
    `uvm_component_utils(harmonia_monitor)
    function new(string name, uvm_component parent);
      super.new(name, parent);
      core = new;
      port = new("port", this);
      bridge = new;
      bridge.port = port;
      bridge.listen(core);
    endfunction
  endclass

  class harmonia_agent extends uvm_agent;
    uvm_sequencer #(harmonia_beat) sequencer;
    harmonia_driver driver;
    harmonia_monitor monitor;
    `uvm_component_utils(harmonia_agent)
    function new(string name, uvm_component parent);
      super.new(name, parent);
    endfunction
    virtual function void build_phase(uvm_phase phase);
      super.build_phase(phase);
      monitor = new("monitor", this);
      if (get_is_active() == UVM_ACTIVE) begin
        sequencer = new("sequencer", this);
        driver = new("driver", this);
      end
    endfunction
    virtual function void connect_phase(uvm_phase phase);
      if (driver != null) driver.seq_item_port.connect(sequencer.seq_item_export);
    endfunction
  endclass

  // core: harmonia_converter_predictor, harmonia_decoder_predictor, harmonia_pe_predictor or one's own.
  class harmonia_predictor extends uvm_subscriber #(harmonia_beat);
    harmonia_verification_pkg::harmonia_predictor core;
    `uvm_component_utils(harmonia_predictor)
    function new(string name, uvm_component parent);
      super.new(name, parent);
    endfunction
    virtual function void write(harmonia_beat t);
      core.write(t.item);
    endfunction
  endclass

  // Takes actual beats; the predictor's core gives the expected ones to core.expect_item().
  class harmonia_scoreboard extends uvm_subscriber #(harmonia_beat);
    harmonia_verification_pkg::harmonia_scoreboard core;
    `uvm_component_utils(harmonia_scoreboard)
    function new(string name, uvm_component parent);
      super.new(name, parent);
      core = new;
      core.name = name;
    endfunction
    virtual function void write(harmonia_beat t);
      core.write(t.item);
    endfunction
    virtual function void check_phase(uvm_phase phase);
      core.finish();
    endfunction
  endclass

  class harmonia_coverage extends uvm_subscriber #(harmonia_beat);
    harmonia_verification_pkg::harmonia_coverage core;
    `uvm_component_utils(harmonia_coverage)
    function new(string name, uvm_component parent);
      super.new(name, parent);
    endfunction
    virtual function void write(harmonia_beat t);
      core.write(t.item);
    endfunction
    virtual function void report_phase(uvm_phase phase);
      if (core.report() != 0) `uvm_warning("COVERAGE", "not every bin was covered")
    endfunction
  endclass

endpackage
