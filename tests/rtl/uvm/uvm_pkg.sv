// Declarations of the UVM classes that harmonia_uvm_pkg.sv uses, with their signatures of IEEE 1800.2-2020, so that it can be checked
// for syntax and types where there is no UVM. Nothing of it works: no phases, no factory, no TLM.
package uvm_pkg;
  typedef enum bit {UVM_PASSIVE = 0, UVM_ACTIVE = 1} uvm_active_passive_enum;

  class uvm_object;
    function new(string name = "");
    endfunction
    virtual function string convert2string();
      return "";
    endfunction
  endclass
  class uvm_phase extends uvm_object;
    function new(string name = "");
      super.new(name);
    endfunction
  endclass
  class uvm_sequence_item extends uvm_object;
    function new(string name = "uvm_sequence_item");
      super.new(name);
    endfunction
  endclass

  class uvm_component extends uvm_object;
    function new(string name, uvm_component parent);
      super.new(name);
    endfunction
    virtual function void build_phase(uvm_phase phase);
    endfunction
    virtual function void connect_phase(uvm_phase phase);
    endfunction
    virtual task run_phase(uvm_phase phase);
    endtask
    virtual function void check_phase(uvm_phase phase);
    endfunction
    virtual function void report_phase(uvm_phase phase);
    endfunction
  endclass
  class uvm_monitor extends uvm_component;
    function new(string name, uvm_component parent);
      super.new(name, parent);
    endfunction
  endclass
  class uvm_agent extends uvm_component;
    function new(string name, uvm_component parent);
      super.new(name, parent);
    endfunction
    virtual function uvm_active_passive_enum get_is_active();
      return UVM_ACTIVE;
    endfunction
  endclass

  class uvm_analysis_port #(type T = int);
    function new(string name, uvm_component parent);
    endfunction
    function void write(T t);
    endfunction
  endclass
  class uvm_seq_item_export #(type REQ = int);
  endclass
  class uvm_seq_item_pull_port #(type REQ = int);
    function void connect(uvm_seq_item_export #(REQ) provider);
    endfunction
    task get_next_item(output REQ item);
      item = null;
    endtask
    function void item_done();
    endfunction
  endclass
  class uvm_sequencer #(type REQ = uvm_sequence_item) extends uvm_component;
    uvm_seq_item_export #(REQ) seq_item_export;
    function new(string name, uvm_component parent);
      super.new(name, parent);
    endfunction
  endclass
  class uvm_driver #(type REQ = uvm_sequence_item) extends uvm_component;
    uvm_seq_item_pull_port #(REQ) seq_item_port;
    REQ req;
    function new(string name, uvm_component parent);
      super.new(name, parent);
    endfunction
  endclass
  class uvm_subscriber #(type T = int) extends uvm_component;
    function new(string name, uvm_component parent);
      super.new(name, parent);
    endfunction
    virtual function void write(T t);
    endfunction
  endclass
endpackage
